#!/bin/sh
# The kernels once more: with their walks cut into several dispatches, as only huge ones are else; and on
# OpenGL, where there is an adapter for it: another compiler, another driver.
set -eu
GATEFOLD_DISPATCH_MULTIPLY_ADDS=100000 cargo test --release --workspace --test kernels

devices=$(cargo run --release --quiet --package gatefold -- devices --format json)
case $devices in
*'"api":"gl"'*)
    GATEFOLD_TEST_API=gl cargo test --release --workspace --test kernels --test dispatches
    ;;
*)
    echo "NOT TESTED: the kernels on OpenGL, because this machine has no adapter for it (on Linux: Mesa's libegl1 and libgl1-mesa-dri)" >&2
    ;;
esac
