#!/bin/sh
# Makes the guide's pictures with Gatefold's own commands: trains the lesson's network with each cell, and cuts
# the plots out of the reports. Needs a few minutes.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gatefold() {
    cargo run --release --package gatefold -- "$@"
}

# The plot of REPORT with the title TITLE becomes images/NAME.svg.
picture() {
    cargo run --quiet --release --manifest-path tools/guide/Cargo.toml -- \
        picture "$1" "$2" "docs/guide/src/images/$3.svg"
}

gatefold compare --dataset reviews --no-memory-tasks --run "$work/compare"
report="$work/compare/report.html"
picture "$report" "Gradient over 200 timesteps" gradient-reach-200
picture "$report" "Validation accuracy by epoch" validation-accuracy

gatefold explain "$work/compare/lstm" "I expected a mess, and yet not once was it dull." --html "$work/explained.html"
picture "$work/explained.html" "Probability of positive after each word" explain-probability
picture "$work/explained.html" "Gates at each word" explain-gates
