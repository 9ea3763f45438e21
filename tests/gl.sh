#!/bin/sh
# The kernels once more, on OpenGL, where there is an adapter for it: another compiler, another driver.
set -eu
if cargo run --release --quiet --package gatefold -- devices --format json 2>/dev/null | grep -q '"api":"gl"'; then
    GATEFOLD_TEST_API=gl cargo test --release --workspace --test kernels
else
    echo "NOT TESTED: the kernels on OpenGL, because this machine has no adapter for it (on Linux: Mesa's libegl1 and libgl1-mesa-dri)" >&2
fi
