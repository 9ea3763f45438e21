"""Writes files that an importer of weights must refuse without harm, one for each way to do harm or to be wrong.

    python3 hostile.py OUT_DIR [--large]

OUT_DIR holds what must be refused; OUT_DIR/good, what must be read although it looks unusual (each with the probe
NAME.npz of its own framework); OUT_DIR/either, what may be refused or read, but rightly. OUT_DIR/aside holds what
some of the files point to and nobody may open. No file may make OUT_DIR/marker appear. `hostile.json` says of each
file what it is, which of the good ones are worth cutting short, which need arguments, and what could not be written
and why: the parts need h5py, torch with safetensors, keras and onnx, and each is left out where its package is missing.

`--large`: also those of more than 100 MB. OUT_DIR has to be new or empty.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from networks import WORD_LIST

# In this order: what each part needs, of which the first needs nothing.
PARTS = {
    "archives": [],
    "pickles": [],
    "safetensors_files": [],
    "other_formats": [],
    "hdf5_files": ["h5py"],
    "pytorch_files": ["torch", "safetensors"],
    "keras_files": ["keras", "h5py"],
    "framework_formats": ["onnx", "torch", "tensorflow"],
}


class Cases:
    """Gives each case its path and remembers what was said of it."""

    def __init__(self, folder, large):
        self.folder = folder
        self.large = large
        self.marker = folder / "marker"
        self.kinds = {"hostile": {}, "good": {}, "either": {}}
        self.cut = []
        self.skipped = {}
        self.arguments = {}
        for place in (folder, folder / "good", folder / "either", folder / "aside"):
            place.mkdir(parents=True, exist_ok=True)

    def hostile(self, name, what):
        return self._path("hostile", self.folder, name, what)

    def either(self, name, what):
        return self._path("either", self.folder / "either", name, what)

    def good(self, name, what, cut=False, arguments=()):
        if cut:
            self.cut.append(f"good/{name}")
        if arguments:
            self.arguments[f"good/{name}"] = list(arguments)
        return self._path("good", self.folder / "good", name, what)

    def _path(self, kind, folder, name, what):
        assert name not in self.kinds[kind], name
        self.kinds[kind][name] = what
        return folder / name

    def skip(self, what, why):
        self.skipped[what] = why
        print(f"NOT WRITTEN: {what}: {why}", file=sys.stderr)

    def aside(self, name):
        return self.folder / "aside" / name

    def save(self):
        manifest = {**self.kinds, "cut": self.cut, "arguments": self.arguments, "skipped": self.skipped}
        (self.folder / "hostile.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        return manifest


def missing(packages):
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            yield f"{package}: {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    # Some files hold the path of the marker or of others; what was left by another run would not be in the manifest.
    folder = options.folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"error: {folder} is not empty")
    cases = Cases(folder, options.large)
    for part, packages in PARTS.items():
        if problems := list(missing(packages)):
            cases.skip(f"part {part}", "; ".join(problems))
        else:
            importlib.import_module(f"hostile_files.{part}").write(cases)
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORD_LIST))
    manifest = cases.save()
    if cases.marker.exists():
        sys.exit("error: writing the files ran the command in one of them")
    print(", ".join(f"{len(manifest[kind])} {kind}" for kind in manifest))


if __name__ == "__main__":
    main()
