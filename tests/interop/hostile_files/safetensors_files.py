"""SafeTensors files: a length, a header of JSON, numbers."""

import json
import struct

import numpy as np

from .pickle_writer import weights

DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "complex64": "C64"}


def write(cases):
    def hostile(name, what, data):
        cases.hostile(f"safetensors-{name}.safetensors", what).write_bytes(data)

    arrays = weights()
    header, data = described(arrays)
    hostile("header-1-tb", "a header of 1 TB", struct.pack("<Q", 10**12) + b"{}")
    hostile("header-2-to-the-64", "a header of 2^64 - 1 bytes", b"\xff" * 8 + b"{}")
    hostile("header-0", "a header of 0 bytes", struct.pack("<Q", 0))
    hostile("header-longer-than-file", "a header that ends behind the file", struct.pack("<Q", 10_000) + b"{}")
    hostile("header-only", "the header without the numbers", whole(header, b""))
    hostile("header-no-json", "a header that is no JSON", framed(b"hello world", data))
    hostile("header-a-list", "a header that is a list", framed(b"[]", data))
    hostile("header-not-utf8", "a header that is no UTF-8", framed(b'{"\xff\xfe": 1}', data))
    hostile("header-deep", "100 000 lists in the header", framed(b"[" * 100_000 + b"]" * 100_000, b""))
    hostile(
        "header-deep-metadata",
        "100 000 objects in the metadata",
        framed(b'{"__metadata__": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, b""),
    )
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    hostile(
        "entries-1000000",
        "1 000 000 empty tensors",
        framed(json.dumps({f"t{n}": entry for n in range(1_000_000)}).encode(), b""),
    )
    hostile("empty", "no tensor at all", whole({}, b""))
    hostile("one-byte-missing", "a file without its last byte", whole(header, data)[:-1])
    hostile("one-byte-more", "a file with one byte more than the header says", whole(header, data) + b"x")

    def lie(name, what, key="embedding.weight", **parts):
        hostile(name, what, whole(header | {key: header[key] | parts}, data))

    begin, end = header["embedding.weight"]["data_offsets"]
    lie("overlapping", "two tensors on the same bytes", "fc1.weight", data_offsets=[0, 80])
    lie("offset-beyond-file", "a tensor behind the file's end", data_offsets=[begin + 10**9, end + 10**9])
    lie("offset-backwards", "a tensor that ends before it begins", data_offsets=[end, begin])
    lie("offset-negative", "a tensor at -1", data_offsets=[-1, end])
    lie("offset-overflow", "a tensor at 2^64 - 4", data_offsets=[2**64 - 4, 2**64 - 1])
    lie("offset-fraction", "a tensor at 0.5", data_offsets=[0.5, end])
    lie("shape-larger", "a shape of more numbers than there are", shape=[12, 4])
    lie("shape-overflow", "a shape whose product overflows 64 bits", shape=[2**62, 16])
    lie("shape-negative", "a negative shape", shape=[-12, -3])
    lie("shape-1000-dimensions", "1000 dimensions of 1", shape=[12, 3] + [1] * 1000)
    lie("dtype-unknown", "an unknown type", dtype="F99")
    lie("dtype-shorter", "a type of half the bytes", dtype="F16")
    lie("dtype-f8", "8-bit floats", dtype="F8_E4M3", shape=[12, 12])
    lie("dtype-i32", "whole numbers of 32 bits", dtype="I32")
    gap = {
        name: entry | {"data_offsets": [offset + 4 for offset in entry["data_offsets"]]}
        for name, entry in header.items()
    }
    hostile("gap", "bytes before the first tensor that nothing names", whole(gap, b"gap!" + data))
    twice = whole(header, data)[8:].split(b'"fc2.bias"', 1)
    twice_header = (twice[0] + b'"fc1.bias"' + twice[1])[: len(json.dumps(header))]
    hostile("name-twice", "two tensors of one name", framed(twice_header, data))
    hostile(
        "metadata-of-numbers",
        "metadata whose values aren't texts",
        whole({"__metadata__": {"format": 7}} | header, data),
    )

    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus-inf", -np.inf)):
        changed = weights()
        changed["fc1.bias"][2] = value
        hostile(name, f"one weight is {value}", file(changed))
    for kind in ("int64", "complex64"):
        hostile(kind, f"a weight of {kind}", file(arrays | {"fc1.weight": arrays["fc1.weight"].astype(kind)}))
    hostile(
        "embedding-transposed",
        "the embedding as [width, words]",
        file(arrays | {"embedding.weight": np.zeros((3, 12), np.float32)}),
    )
    hostile(
        "hidden-of-another",
        "weight_hh of 5 units, the others of 4",
        file(arrays | {"lstm.weight_hh_l0": np.zeros((20, 5), np.float32)}),
    )
    escapes = "\x1b[2J\x1b]0;title\x07\r\n\u202eevil"
    hostile(
        "names-with-escapes",
        "a tensor more whose name moves the terminal's cursor",
        file(arrays | {escapes: np.zeros(1, np.float32)}),
    )
    hostile(
        "metadata-with-escapes",
        "metadata that moves the terminal's cursor, and no network",
        whole({"__metadata__": {"format": escapes, escapes: "x"}}, b""),
    )
    mlx = {"embedding.weight": arrays["embedding.weight"]}
    for name, key in (("Wx", "weight_ih_l0"), ("Wh", "weight_hh_l0"), ("bias", "bias_ih_l0")):
        mlx[f"lstm.{name}"] = arrays[f"lstm.{key}"]
    mlx |= {key: value for key, value in arrays.items() if key.startswith("fc")}
    path = cases.either("safetensors-mlx.safetensors", "the same network by MLX's names (Wx, Wh, bias)")
    path.write_bytes(file(mlx))
    spaced = json.dumps(header).encode() + b" " * 1000
    path = cases.either(
        "safetensors-header-with-spaces.safetensors", "a good file with 1000 spaces behind its header's JSON"
    )
    path.write_bytes(framed(spaced, data))


def described(arrays):
    """The header's entries of arrays that lie one behind the other, and the bytes."""
    header, data = {}, b""
    for name, array in arrays.items():
        begin = len(data)
        data += array.tobytes()
        header[name] = {
            "dtype": DTYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        }
    return header, data


def framed(header, data):
    return struct.pack("<Q", len(header)) + header + data


def whole(header, data):
    return framed(json.dumps(header).encode(), data)


def file(arrays):
    return whole(*described(arrays))
