"""Takes networks of PyTorch and Keras into Gatefold and out to every format, and lets the frameworks compute with them.

    pip install -r requirements.txt
    python3 round_trips.py PROGRAM

PROGRAM is Gatefold's. For small random networks of every kind, saved by either framework in each of its formats, it
checks what `PROGRAM import --verify` found, and what the framework of each format that `PROGRAM export` writes makes of
the file, against the logits of the framework that the network is from. PyTorch loads what is exported into the module
that docs/interop.md shows. Prints a table of the largest differences, and fails if one is above 1e-5.
"""

import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from networks import (
    DENSE,
    LENGTH,
    UNITS,
    WIDTH,
    WORD_LIST,
    WORDS,
    Network,
    as_read,
    keras_logits,
    keras_model,
    rows,
    save_probe,
    torch_logits,
    torch_module,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "interop.md"
# How far logits may lie apart, and those of one ONNX file with more padding.
TOLERANCE, PADDED_TOLERANCE = 1e-5, 1e-6
MORE_PADDING = (0, 5, 200)
PYTORCH_FILES = ("pt", "safetensors")
KERAS_FILES = ("keras", "weights.h5", "h5")
EXPORTS = {"pytorch": "pt", "safetensors": "safetensors", "keras": "keras", "onnx": "onnx"}


def networks():
    """Every kind that skips its padding; with one output, those that read it too. Every other one has a dense layer."""
    kinds = itertools.product(
        ("lstm", "gru", "rnn"), (1, 2), (1, 2), ((1, None), (2, None), (5, None), (1, "pre"), (1, "post"))
    )
    for seed, (cell, layers, directions, (outputs, padding)) in enumerate(kinds):
        yield Network(cell, layers, directions, outputs, seed % 2 == 0, padding, seed)


def saved_by_pytorch(network, folder):
    import torch
    from safetensors.torch import save_file

    module = torch_module(network)
    ids, lengths = rows(network.seed)
    torch.save(module.state_dict(), folder / "network.pt")
    save_file(module.state_dict(), folder / "network.safetensors")
    return ids, lengths, torch_logits(module, network, ids, lengths)


def saved_by_keras(network, folder):
    # Half of them the other way to build one.
    model = keras_model(network, functional=network.seed % 4 < 2)
    ids, lengths = rows(network.seed)
    for suffix in KERAS_FILES:
        (model.save_weights if suffix == "weights.h5" else model.save)(folder / f"network.{suffix}")
    return ids, lengths, keras_logits(model, network, ids, lengths)


def run(program, *arguments):
    arguments = [program, *map(str, arguments)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(arguments)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def import_into(program, network, file, run_folder, folder):
    """Imports a file as its user would, who says what the file doesn't; gives the largest difference that was found."""
    arguments = ["--max-length", LENGTH]
    # These two hold a description of the network.
    if file.suffix != ".keras" and file.name != "network.h5":
        arguments += ["--no-mask" if network.padding else "--mask"]
        arguments += ["--cell", "rnn"] if network.cell == "rnn" else []
    if network.padding:
        arguments += ["--padding", network.padding]
    if network.outputs == 1:
        arguments += ["--labels", "no,yes"]
    words, probe = folder / "words.txt", folder / "probe.npz"
    arguments += ["--vocabulary", words, "--verify", probe, "--format", "json"]
    verified = json.loads(run(program, "import", file, "--out", run_folder, *arguments))["verified"]
    assert verified["rows"] == len(np.load(probe)["ids"]), verified
    return verified["largest_difference"]


def documented_module():
    """The class in the document's block that begins with `# model.py`."""
    blocks = re.findall(r"^```python\n(# model\.py\n.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, f"{DOCUMENT} has {len(blocks)} blocks of model.py"
    names = {}
    exec(compile(blocks[0], f"{DOCUMENT}: model.py", "exec"), names)
    return names["Network"]


def logits_by_pytorch(file, network, ids, lengths):
    import torch
    from safetensors.torch import load_file

    state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
    module = documented_module()(
        cell=network.cell.upper(),
        vocabulary_size=WORDS,
        embedding_size=WIDTH,
        hidden_size=UNITS,
        layers=network.layers,
        bidirectional=network.directions == 2,
        dense_size=DENSE if network.dense else 0,
        output_size=network.outputs,
    )
    module.load_state_dict(state)
    return torch_logits(module, network, ids, lengths)


def logits_by_keras(file, network, ids, lengths):
    import keras

    return keras_logits(keras.saving.load_model(file), network, ids, lengths)


def logits_by_onnx(file, network, ids, lengths):
    import onnx
    import onnxruntime

    onnx.checker.check_model(file, full_check=True)
    session = onnxruntime.InferenceSession(file)
    ids, lengths = as_read(network, ids, lengths)
    # One that reads its padding has no lengths, and rows of one length alone.
    masked = network.padding is None
    answers = []
    for more in MORE_PADDING if masked else (0,):
        given = {"ids": np.pad(ids, ((0, 0), (0, more)))} | ({"lengths": lengths} if masked else {})
        logits, probabilities = session.run(["logits", "probabilities"], given)
        assert np.abs(probabilities - probabilities_of(logits)).max() <= PADDED_TOLERANCE
        answers.append(logits)
    difference = max(np.abs(logits - answers[0]).max() for logits in answers)
    assert difference <= PADDED_TOLERANCE, f"{file}: more padding changes its logits by {difference}"
    return answers[0]


def probabilities_of(logits):
    """Of a single logit, those of both classes."""
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], 1)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


READERS = {
    "pytorch": logits_by_pytorch,
    "safetensors": logits_by_pytorch,
    "keras": logits_by_keras,
    "onnx": logits_by_onnx,
}


def differences(program, network, save, suffixes, folder):
    """Of one framework's network: a difference for each of its files, and for each format that is exported."""
    ids, lengths, expected = save(network, folder)
    save_probe(folder / "probe.npz", ids, lengths, expected)
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORD_LIST))
    found = {}
    for suffix in suffixes:
        run_folder = folder / f"run-{suffix}"
        found[f"in {suffix}"] = import_into(program, network, folder / f"network.{suffix}", run_folder, folder)
    # All the runs hold the same network now.
    for export, suffix in EXPORTS.items():
        file = folder / f"exported.{suffix}"
        run(program, "export", run_folder, "--format", export, "--out", file)
        logits = READERS[export](file, network, ids, lengths)
        assert logits.shape == expected.shape, f"{export}: {logits.shape} for {expected.shape}"
        found[f"out {export}"] = float(np.abs(logits - expected).max())
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = Path(sys.argv[1]).resolve()
    columns = [f"in {suffix}" for suffix in PYTORCH_FILES + KERAS_FILES] + [f"out {export}" for export in EXPORTS]
    heads = ["cell", "layers", "directions", "outputs", "dense", "padding", *columns]
    print("|", " | ".join(heads), "|")
    print("|", " | ".join("---" for _ in heads), "|")
    too_far = []
    for network in networks():
        largest = dict.fromkeys(columns, 0.0)
        for save, suffixes in ((saved_by_pytorch, PYTORCH_FILES), (saved_by_keras, KERAS_FILES)):
            with tempfile.TemporaryDirectory() as folder:
                for column, difference in differences(program, network, save, suffixes, Path(folder)).items():
                    largest[column] = max(largest[column], difference)
        dense, padding = "yes" if network.dense else "no", network.padding or "skipped"
        kind = (network.cell, network.layers, network.directions, network.outputs, dense, padding)
        print("|", " | ".join([*map(str, kind), *(f"{largest[column]:.1e}" for column in columns)]), "|", flush=True)
        # Not a number is too far, too.
        too_far += [f"{kind}: {column}" for column in columns if not largest[column] <= TOLERANCE]
    if too_far:
        sys.exit("error: more than {} apart:\n{}".format(TOLERANCE, "\n".join(too_far)))


if __name__ == "__main__":
    main()
