#!/bin/sh
# Fuzzes a parser: `run.sh TARGET [SECONDS]`; `run.sh all [SECONDS]` each in turn; `run.sh` lists them.
# What it learns is kept beside the build; an input that breaks a promise lands in fuzz/artifacts.
set -eu
cd "$(dirname "$0")/.."

needs() {
    echo "error: fuzzing needs $1; this installs it: $2" >&2
    exit 1
}
rustup run nightly cargo --version >/dev/null 2>&1 || needs "nightly Rust" "rustup toolchain install nightly"
cargo fuzz --version >/dev/null 2>&1 || needs cargo-fuzz "cargo install --locked cargo-fuzz"

known=$(cargo fuzz list)
case ${1:-} in
"")
    echo "$known"
    exit
    ;;
all) targets=$known ;;
*)
    targets=$1
    echo "$known" | grep -qxF -e "$1" || {
        echo "error: there is no target $1, but" $known >&2
        exit 2
    }
    ;;
esac

for target in $targets; do
    features=
    grep -q 'gatefold::' "fuzz/fuzz_targets/$target.rs" && features="--features program"
    learned=${CARGO_TARGET_DIR:-fuzz/target}/corpus/$target
    mkdir -p "$learned"
    echo "fuzzing $target for ${2:-60} seconds" >&2
    # The code is safe Rust: a sanitizer would find little and take half of the speed.
    cargo +nightly fuzz run --sanitizer none $features "$target" "$learned" "fuzz/corpus/$target" -- \
        -max_total_time="${2:-60}" -rss_limit_mb=512 -timeout=5 -print_final_stats=1
done
