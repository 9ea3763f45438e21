#!/bin/sh
# Checks that the crates which a browser can run build for it, with the first compiler that has the standard library
# for browsers or its source: Debian's for the web (rustc-web) has the source alone (rust-web-src).
set -eu
target=wasm32-unknown-unknown

for compiler in "${RUSTC:-rustc}" /usr/bin/rustc; do
    sysroot=$("$compiler" --print sysroot 2>/dev/null) || continue
    build_std=
    if ! ls "$sysroot/lib/rustlib/$target/lib/"libstd-*.rlib >/dev/null 2>&1; then
        [ -d "$sysroot/lib/rustlib/src/rust/library" ] || continue
        # An option of nightly Rust, and safe here: compiler and source are of one version.
        export RUSTC_BOOTSTRAP=1
        build_std="-Z build-std=std,panic_abort"
    fi
    export RUSTC="$compiler"
    # shellcheck disable=SC2086 # Two words, or none.
    exec cargo check $build_std --target $target --no-default-features \
        --package gatefold-data --package gatefold-kernels --package gatefold-model --package gatefold-training "$@"
done
echo "error: the standard library for browsers is missing; this installs it: rustup target add $target" >&2
exit 1
