# Every task of the project. `./justw TASK` runs one on a machine that has no `just`.

# Arguments reach the program as they were quoted.
set positional-arguments

# List the tasks
default:
    @just --list --unsorted

# Train and test the lesson's network on the built-in reviews, or on IMDB if it is in the data directory
train *args:
    cargo run --release --package gatefold -- train "$@"

# Train and test it on the real IMDB reviews (`gatefold dataset fetch imdb`, or --data PATH)
imdb *args:
    cargo run --release --package gatefold -- train --dataset imdb "$@"

# Measure the lesson's network beside the same one of Burn's own layers, on every device
bench *args:
    cargo run --release --package gatefold -- bench "$@"

# Measure it on the CPU beside Keras, PyTorch and Burn (needs Python; --data FOLDER trains on imdb.npz too)
bench-peers *args:
    cargo build --release --package gatefold
    python3 crates/runner/benches/peers/run.py "${CARGO_TARGET_DIR:-target}/release/gatefold" "$@"

# Run any command of the program
gatefold *args:
    cargo run --release --package gatefold -- "$@"

# Pass the tests; installs Debian's or Ubuntu's software Vulkan first if there is no adapter and it may
test *args: adapter
    cargo test --release --workspace "$@"
    @[ "$#" -gt 0 ] || sh tests/variants.sh

# Check format and lints
lint:
    cargo fmt --all --check
    cargo fmt --manifest-path tools/guide/Cargo.toml --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --release --workspace --all-targets -- --deny warnings

# Check that data, kernels, model and training build for the browser (needs the wasm32-unknown-unknown target: `rustup target add wasm32-unknown-unknown`; or Debian's rustc-web and rust-web-src)
wasm *args:
    @sh tests/wasm.sh "$@"

# Check licences, bans, sources and advisories of all dependencies (needs cargo-deny); may name some of them
deny *args:
    @cargo deny --version >/dev/null 2>&1 || { echo "error: cargo-deny is missing; this installs it: cargo install --locked cargo-deny" >&2; exit 1; }
    for manifest in Cargo.toml fuzz/Cargo.toml tools/guide/Cargo.toml; do cargo deny --all-features --manifest-path $manifest --config deny.toml check "$@" || exit; done

# Fuzz a parser (needs nightly Rust and cargo-fuzz): TARGET [SECONDS], `all [SECONDS]`, or nothing to list them
fuzz *args:
    @sh fuzz/run.sh "$@"

# (With the features of the tests, for which `lint` has looked through Burn already.)
# Build the documentation of the crates, and the guide; checks all links
docs: guide
    RUSTDOCFLAGS="--deny warnings" cargo doc --release --workspace --no-deps --features gatefold-model/ndarray

# Build the guide in docs/guide and check the links of all documentation
guide:
    cargo run --release --manifest-path tools/guide/Cargo.toml

# Make sure that there is a Vulkan adapter for the tests
[private]
adapter:
    @sh tests/adapter.sh
