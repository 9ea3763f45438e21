#!/bin/sh
# Measures the page beside TensorFlow.js in Chromium (needs Node.js, Python and Chromium).
set -eu
cd "$(dirname "$0")"
mkdir -p "${CARGO_TARGET_DIR:-../../../target}"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-../../../target}" && pwd)
export CARGO_TARGET_DIR
../build.sh "$CARGO_TARGET_DIR/web"
modules=$CARGO_TARGET_DIR/web-benches
mkdir -p "$modules"
cp package.json package-lock.json peers.mjs "$modules"
cd "$modules"
npm ci --silent --no-audit --no-fund --ignore-scripts
CHROMIUM=$(command -v "${CHROMIUM:-chromium}") GATEFOLD_PAGE=$CARGO_TARGET_DIR/web node peers.mjs
