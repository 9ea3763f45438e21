#!/bin/sh
# Makes the guide's pictures with Gatefold's own commands: trains the lesson's network and one of the adding problem
# with each cell, and cuts the plots out of the reports. Needs a few minutes.
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
picture "$report" "Validation accuracy by epoch" validation-accuracy

gatefold compare --dataset adding --length 100 --batch-size 32 --learning-rate 0.005 --no-memory-tasks \
    --run "$work/adding"
picture "$work/adding/report.html" "Gradient over 200 timesteps" gradient-reach-200

gatefold explain "$work/compare/lstm" "I expected a mess, and yet not once was it dull." --html "$work/explained.html"
picture "$work/explained.html" "Probability of positive after each word" explain-probability
picture "$work/explained.html" "Gates at each word, beside their mean over the text" explain-gates
