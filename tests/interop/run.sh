#!/bin/sh
# Takes random networks through PyTorch, Keras and ONNX Runtime and back, and gives the program what it must refuse:
# `run.sh PROGRAM`. Needs Python; makes an environment of its own, of some gigabytes, in the user's cache.
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")"
environment=${XDG_CACHE_HOME:-$HOME/.cache}/gatefold/interop
python=$environment/bin/python
export PYTHONDONTWRITEBYTECODE=1 TF_CPP_MIN_LOG_LEVEL=3
if ! cmp -s requirements.txt "$environment/requirements.txt"; then
    echo "making the Python environment $environment" >&2
    python3 -m venv --clear "$environment"
    "$python" -m pip install --quiet --requirement requirements.txt
    cp requirements.txt "$environment/requirements.txt"
fi
"$python" round_trips.py "$program"
hostile=$(mktemp -d)
trap 'rm -rf "$hostile"' EXIT
"$python" hostile.py "$hostile/files"
"$python" attack.py "$program" "$hostile/files"
