#!/bin/sh
# Builds the page into a folder that any static server serves: build.sh [FOLDER]
#
# The compiler is the first one that has the standard library for browsers, or its source, as Debian's for the web.
set -eu
crate=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${CARGO_TARGET_DIR:-$crate/../../target}"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-$crate/../../target}" && pwd)
export CARGO_TARGET_DIR
mkdir -p "${1:-$CARGO_TARGET_DIR/web}"
folder=$(cd "${1:-$CARGO_TARGET_DIR/web}" && pwd)
if [ -n "$(ls -A "$folder")" ] && [ ! -e "$folder/gatefold_web_bg.wasm" ]; then
    echo "error: $folder holds something else than the page, and would be replaced: name an empty folder" >&2
    exit 1
fi
cd "$crate"
target=wasm32-unknown-unknown
build_std=

has_compiler() {
    for compiler in "${RUSTC:-rustc}" /usr/bin/rustc; do
        sysroot=$("$compiler" --print sysroot 2>/dev/null) || continue
        if ! ls "$sysroot/lib/rustlib/$target/lib/"libstd-*.rlib >/dev/null 2>&1; then
            [ -d "$sysroot/lib/rustlib/src/rust/library" ] || continue
            # An option of nightly Rust, and safe here: compiler and source are of one version.
            export RUSTC_BOOTSTRAP=1
            build_std="-Z build-std=std,panic_abort"
        fi
        RUSTC=$compiler
        return 0
    done
    return 1
}

has_compiler || {
    echo "error: the standard library for browsers is missing; this installs it: rustup target add $target (Debian has it as rustc-web and rust-web-src)" >&2
    exit 1
}

# What writes the JavaScript has to be of the version of what it is written for.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/.*"\(.*\)"/\1/p;}' Cargo.lock)
bindgen=wasm-bindgen
if [ "$($bindgen --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
    bindgen=$CARGO_TARGET_DIR/web-tools/bin/wasm-bindgen
    if [ "$("$bindgen" --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
        echo "installing wasm-bindgen $version into $CARGO_TARGET_DIR/web-tools" >&2
        cargo install --quiet --force --target-dir "$CARGO_TARGET_DIR/web-tools/build" --root "$CARGO_TARGET_DIR/web-tools" \
            --version "$version" wasm-bindgen-cli
    fi
fi

export RUSTC
# shellcheck disable=SC2086 # Two words, or none.
cargo build --locked --release $build_std --target $target
find "$folder" -mindepth 1 -delete
mkdir "$folder/shaders"
"$bindgen" --target web --no-typescript --remove-name-section --remove-producers-section --out-dir "$folder" \
    "$CARGO_TARGET_DIR/$target/release/gatefold_web.wasm"
cp page/* "$folder"
cp ../lesson/src/report/style.css "$folder/report.css"
for cell in simple_rnn lstm gru min_gru; do
    cp "../../shaders/parts/$cell.wgsl" "$folder/shaders"
done

# What works without a network: all files, kept under a name that changes with them.
cd "$folder"
files=$(find . -type f ! -name service-worker.js | LC_ALL=C sort)
content=$(echo "$files" | while read -r file; do cksum <"$file"; done | cksum | cut -d ' ' -f 1)
list=$(echo "$files" | sed 's/.*/"&"/' | paste -s -d , -)
sed "s/gatefold-VERSION/gatefold-$content/; s|\\[\"FILES\"\\]|[\"./\",$list]|" service-worker.js >service-worker.js.new
mv service-worker.js.new service-worker.js

echo "built $folder: $(cat ./*.wasm | wc -c) bytes of WebAssembly, $(gzip -9 -c ./*.wasm | wc -c) compressed"
