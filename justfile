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

# Measure it on the CPU beside Keras, PyTorch, ONNX Runtime, JAX and Burn (needs Python; --help lists what to choose)
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
    cargo fmt --manifest-path crates/web/Cargo.toml --check
    cargo clippy --release --workspace --all-targets -- --deny warnings

# Build the lesson for browsers into a folder that any static server serves: FOLDER, or target/web (needs `rustup target add wasm32-unknown-unknown`)
web *args:
    @sh crates/web/build.sh "$@"

# Build it, and serve it on this machine alone (needs Python): PORT, or 8000
web-serve port="8000": web
    @echo "http://127.0.0.1:{{port}}/" >&2
    python3 -m http.server --bind 127.0.0.1 --directory "${CARGO_TARGET_DIR:-target}/web" "{{port}}"

# Drive it in Chromium, on the CPU and on WebGPU (needs Node.js and Chromium)
test-web *args:
    @sh crates/web/tests/run.sh "$@"

# Take networks through PyTorch, Keras and ONNX Runtime and back, and give imports what they must refuse (needs Python)
test-interop:
    cargo build --release --package gatefold
    sh tests/interop/run.sh "${CARGO_TARGET_DIR:-target}/release/gatefold"

# Measure it beside TensorFlow.js (needs Node.js and Chromium)
bench-web:
    @sh crates/web/benches/run.sh

# Give the kernels to drivers and compilers that this machine's GPU does not use (needs Python; on Debian gets the rest if it may): CHECK…, or all
portability *args:
    @python3 tools/portability/run.py "$@"

# Check licences, bans, sources and advisories of all dependencies (needs cargo-deny); may name some of them
deny *args:
    @cargo deny --version >/dev/null 2>&1 || { echo "error: cargo-deny is missing; this installs it: cargo install --locked cargo-deny" >&2; exit 1; }
    for manifest in Cargo.toml fuzz/Cargo.toml tools/guide/Cargo.toml crates/web/Cargo.toml; do cargo deny --all-features --manifest-path $manifest --config deny.toml check "$@" || exit; done

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
