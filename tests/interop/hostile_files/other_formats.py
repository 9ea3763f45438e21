"""Files that are something else, which an importer should know by sight; written without the frameworks."""

import gzip
import io
import json
import os
import struct

import numpy as np

from .pickle_writer import weights


def write(cases):
    for suffix in ("pt", "pth", "safetensors", "keras", "h5", "weights.h5"):
        cases.hostile(f"empty.{suffix}", "an empty file").write_bytes(b"")
        cases.hostile(f"one-byte.{suffix}", "a file of one byte").write_bytes(b"P")
        cases.hostile(f"text.{suffix}", "a text").write_text("This is not a network.\n" * 40)
        cases.hostile(f"zeros.{suffix}", "a million zeros").write_bytes(bytes(1_000_000))
        cases.hostile(f"folder.{suffix}", "a folder").mkdir()
    fifo = cases.hostile("fifo.pt", "a named pipe that nobody writes to")
    os.mkfifo(fifo)
    cases.hostile("link-to-itself.pt", "a symbolic link to itself").symlink_to("link-to-itself.pt")
    cases.hostile("link-to-nothing.pt", "a symbolic link to nothing").symlink_to("nothing.pt")
    cases.hostile("link-to-zeros.pt", "a symbolic link to /dev/zero, which never ends").symlink_to("/dev/zero")
    cases.hostile("name\x1b[31mred\x1b[0m\n.pt", "a text; the file's name moves the terminal's cursor").write_text("no")

    arrays = weights()
    out = io.BytesIO()
    np.savez(out, **arrays)
    cases.hostile("numpy.npz", "NumPy's archive of the arrays").write_bytes(out.getvalue())
    cases.hostile("numpy-called.pt", "NumPy's archive, called .pt").write_bytes(out.getvalue())
    out = io.BytesIO()
    np.save(out, arrays["embedding.weight"])
    cases.hostile("numpy.npy", "one array of NumPy's").write_bytes(out.getvalue())
    gguf = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
    cases.hostile("gguf.gguf", "the head of a GGUF file").write_bytes(gguf)
    cases.hostile("gguf-called.safetensors", "the head of a GGUF file, called .safetensors").write_bytes(gguf)
    cases.hostile("text.gz", "gzip").write_bytes(gzip.compress(b"hello", mtime=0))
    cases.hostile("gzip-called.pt", "gzip, called .pt").write_bytes(gzip.compress(b"hello" * 1000, mtime=0))
    cases.hostile("model.json", "a JSON, as Keras's to_json makes").write_text(
        json.dumps({"class_name": "Sequential", "config": {}})
    )
    cases.hostile("json-called.keras", "a JSON, called .keras").write_text("{}")
    # ModelProto: ir_version 8, producer_name "pytorch", an empty graph, opset 17.
    onnx = b"\x08\x08\x12\x07pytorch\x3a\x06\x12\x04main\x42\x04\x0a\x00\x10\x11"
    cases.hostile("model.onnx", "a small ONNX file").write_bytes(onnx)
    cases.hostile("onnx-called.pt", "a small ONNX file, called .pt").write_bytes(onnx)
    folder = cases.hostile("saved-model", "a folder as TensorFlow's SavedModel")
    (folder / "variables").mkdir(parents=True)
    # SavedModel: saved_model_schema_version 1, one empty meta graph.
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    cases.hostile("saved_model.pb", "the graph of a SavedModel").write_bytes(b"\x08\x01\x12\x00")
    path = cases.hostile("checkpoint.index", "the index of TensorFlow's checkpoint")
    path.write_bytes(b"\x00\x00\x00\x00\x57\xfb\x80\x8b\x24\x75\x47\xdb")
    cases.hostile("pickled-list.joblib", "zlib, as joblib writes").write_bytes(b"x\x9c\x03\x00\x00\x00\x00\x01")
    cases.hostile("picture.png", "the head of a picture").write_bytes(b"\x89PNG\r\n\x1a\n")
    cases.hostile("program.pt", "the head of a program for Linux").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
