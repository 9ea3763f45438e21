#!/bin/sh
# Builds the page and the program, and drives the page in Chromium: on the CPU, and on WebGPU by Chromium's own software
# adapter. On Debian it installs Chromium if there is none and it may.
set -eu
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
mkdir -p "${CARGO_TARGET_DIR:-$root/target}"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-$root/target}" && pwd)
export CARGO_TARGET_DIR

find_browser() {
    for browser in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
        command -v "$browser" && return 0
    done
    return 1
}

command -v node >/dev/null && command -v npm >/dev/null || {
    echo "error: the tests of the page need Node.js with npm: https://nodejs.org" >&2
    exit 1
}
if ! find_browser >/dev/null; then
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "installing Chromium for the tests of the page: apt-get install chromium" >&2
        apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y chromium >&2
    else
        echo "error: the tests of the page need Chromium: install it (on Debian: sudo apt-get install chromium), or name it with CHROMIUM" >&2
        exit 1
    fi
fi
CHROMIUM=$(find_browser)
export CHROMIUM

# The build says what it lacks; this gets it, where it can.
if command -v rustup >/dev/null; then rustup target add wasm32-unknown-unknown >&2 || true; fi

(cd "$root" && cargo build --release --workspace)
../build.sh "$CARGO_TARGET_DIR/web"
(cd .. && cargo clippy --quiet --release -- --deny warnings)

# Where it doesn't lie among the sources.
modules=$CARGO_TARGET_DIR/web-tests
mkdir -p "$modules"
cp package.json package-lock.json ./*.mjs "$modules"
cd "$modules"
npm ci --silent --no-audit --no-fund
GATEFOLD=$CARGO_TARGET_DIR/release/gatefold GATEFOLD_PAGE=$CARGO_TARGET_DIR/web \
    node --test --test-concurrency=1 --test-reporter=spec "$@" page.test.mjs
