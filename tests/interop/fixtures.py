"""Makes the small files of other frameworks that the tests read, which are in the folder `fixtures` beside this file.

    pip install -r requirements.txt
    python3 fixtures.py FOLDER

Beside each NAME.SUFFIX is a NAME.npz with the probe for it: ids, lengths, and the logits of its own framework. Files
above 16 KiB are gzipped: HDF5's are mostly zeros.
"""

import gzip
import json
import re
import sys
import zipfile
from pathlib import Path

from networks import (
    WORD_LIST,
    WORDS,
    Network,
    keras_logits,
    keras_model,
    rows,
    save_probe,
    torch_logits,
    torch_module,
)

PYTORCH = {
    "pytorch-lstm.pt": Network("lstm", outputs=2, dense=False, seed=1),
    "pytorch-gru.pth": Network("gru", layers=2, directions=2, seed=2),
    "pytorch-rnn.safetensors": Network("rnn", outputs=5, seed=3),
}
KERAS = {
    "keras-lstm.keras": Network("lstm", seed=4),
    "keras-gru.weights.h5": Network("gru", layers=2, directions=2, outputs=5, seed=5),
    "keras-rnn.h5": Network("rnn", seed=6),
    "keras-functional.keras": Network("lstm", outputs=3, dense=False, padding="pre", seed=7),
    # A layer of its own makes its mask.
    "keras-functional-masked.keras": Network("gru", dense=False, seed=8),
}
# No two files call the same thing the same, as no two people do.
NAMES = {
    "pytorch-lstm.pt": {"embedding": "embedding", "rnn": "lstm", "output": "fc"},
    "pytorch-gru.pth": {"embedding": "embed", "rnn": "encoder.gru", "dense": "fc1", "output": "fc2"},
    "pytorch-rnn.safetensors": {
        "embedding": "word_embeddings",
        "rnn": "rnn",
        "dense": "classifier.0",
        "output": "classifier.2",
    },
}


def renamed(state, names):
    parts = (key.partition(".") for key in state)
    return {f"{names[module]}.{rest}": state[f"{module}.{rest}"] for module, _, rest in parts}


def trained_a_step(module, ids, lengths):
    """Adam with its moments, as a checkpoint holds it."""
    import torch

    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    module(torch.from_numpy(ids), torch.from_numpy(lengths)).square().mean().backward()
    optimizer.step()
    return optimizer


def pytorch(folder):
    import torch
    from safetensors.torch import save_file

    for name, network in PYTORCH.items():
        path = folder / name
        module = torch_module(network)
        ids, lengths = rows(network.seed)
        if path.suffix == ".pth":
            optimizer = trained_a_step(module, ids, lengths)
        state = renamed(module.state_dict(), NAMES[name])
        if path.suffix == ".safetensors":
            save_file(state, path)
        elif path.suffix == ".pth":
            checkpoint = {
                "epoch": 1,
                "model_state_dict": state,
                "optimizer_state_dict": optimizer.state_dict(),
                "loss": 0.25,
            }
            torch.save(checkpoint, path)
        else:
            torch.save(state, path)
        save_probe(probe(path), ids, lengths, torch_logits(module, network, ids, lengths))


def keras(folder):
    for name, network in KERAS.items():
        path = folder / name
        model = keras_model(network, functional="functional" in name)
        ids, lengths = rows(network.seed)
        if name.endswith(".weights.h5"):
            model.save_weights(path)
        else:
            model.save(path)
        if path.suffix == ".keras":
            repeatable(path)
        save_probe(probe(path), ids, lengths, keras_logits(model, network, ids, lengths))


def repeatable(path):
    """Writes Keras's archive again without its dates and addresses in memory, so that the same makes the same bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(entries["metadata.json"])
    entries["metadata.json"] = json.dumps(metadata | {"date_saved": "2026-01-01@00:00:00"}).encode()
    config = entries["config.json"].decode()
    for number, address in enumerate(dict.fromkeys(re.findall(r'"shared_object_id": (\d+)', config))):
        config = config.replace(address, str(number))
    entries["config.json"] = config.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def words(folder):
    """The vocabulary as a list and as Keras's Tokenizer saves it: there the list's first word is only implied."""
    from keras.src.legacy.preprocessing.text import Tokenizer

    (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORD_LIST))
    tokenizer = Tokenizer(num_words=WORDS, oov_token=WORD_LIST[1])
    # Each word once less often than the one before; the last two are too rare to have an id below `num_words`.
    known = [*WORD_LIST[2:], "boring", "seldom"]
    tokenizer.fit_on_texts(" ".join(known[:count]) for count in range(1, len(known) + 1))
    (folder / "tokenizer.json").write_text(tokenizer.to_json() + "\n")


def probe(path):
    return path.with_name(path.name.split(".")[0] + ".npz")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pytorch(folder)
    keras(folder)
    words(folder)
    for path in list(folder.iterdir()):
        if path.stat().st_size > 16 << 10:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    for name, size in sizes.items():
        print(f"{size:7} {name}")
    print(f"{sum(sizes.values()):7} in all")


if __name__ == "__main__":
    main()
