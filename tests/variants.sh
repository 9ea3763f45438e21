#!/bin/sh
# The kernels once more: on the CPU at every SIMD level that the processor has; on the GPU with their walks cut into
# several dispatches, as only huge ones are else; and on OpenGL, where there is an adapter for it: another
# compiler, another driver.
set -eu

devices=$(cargo run --release --quiet --package gatefold -- devices --format json)

in_use=$(printf '%s\n' "$devices" | sed -n 's/.*"simd":"\([^"]*\)".*/\1/p')
available=$(printf '%s\n' "$devices" | sed -n 's/.*"simd_available":\[\([^]]*\)\].*/\1/p' | tr -d '"')
tested=
for level in $(echo "$available" | tr , ' '); do
    if [ "$level" != "$in_use" ]; then
        GATEFOLD_SIMD=$level cargo test --release --workspace --test kernels --test recorded_training on_cpu
        GATEFOLD_SIMD=$level cargo test --release --workspace --test training
    fi
    tested="$tested $level"
done
# The one in use by all tests, before.
echo "TESTED: the CPU at the SIMD levels$tested" >&2
for level in plain avx2 avx512 neon; do
    case " $tested " in
    *" $level "*) ;;
    *" $in_use "*) echo "NOT TESTED: the CPU at SIMD level $level, which this processor lacks" >&2 ;;
    *)
        echo "gatefold devices names no SIMD level that could be tested: $devices" >&2
        exit 1
        ;;
    esac
done

GATEFOLD_DISPATCH_SLOTS=100000 cargo test --release --workspace --test kernels on_gpu

case $devices in
*'"api":"gl"'*)
    GATEFOLD_TEST_API=gl cargo test --release --workspace --test kernels --test recorded_training on_gpu
    GATEFOLD_TEST_API=gl cargo test --release --workspace --test dispatches
    ;;
*)
    echo "NOT TESTED: the kernels on OpenGL, because this machine has no adapter for it (on Linux: Mesa's libegl1 and libgl1-mesa-dri)" >&2
    ;;
esac
