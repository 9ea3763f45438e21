"""Writes pickles and PyTorch's archives byte by byte: Python's own pickler would not write the ones wanted here."""

import io
import struct
import zipfile
from dataclasses import dataclass, field

import numpy as np

from networks import DENSE, UNITS, WIDTH, WORDS

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "complex64": "ComplexFloatStorage",
}


@dataclass
class Raw:
    """Opcodes as they are."""

    data: bytes


@dataclass
class Global:
    module: str
    name: str


@dataclass
class Reduce:
    function: object
    arguments: tuple = ()


@dataclass
class Persistent:
    id: object


@dataclass
class Ordered:
    items: dict


@dataclass
class Tensor:
    """A `_rebuild_tensor_v2` of which each part may lie."""

    data: np.ndarray
    key: str = "0"
    size: tuple | None = None
    stride: tuple | None = None
    offset: int = 0
    storage: str | None = None
    elements: int | None = None
    hooks: object = field(default_factory=lambda: Ordered({}))


def opcodes(value):
    match value:
        case Raw(data):
            return data
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int() if 0 <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case int():
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            data = value.encode("utf-8", "surrogatepass")
            return b"X" + struct.pack("<I", len(data)) + data
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            return b"}(" + pairs(value) + b"u"
        case Ordered(items):
            new = opcodes(Reduce(Global("collections", "OrderedDict")))
            return new + b"(" + pairs(items) + b"u" if items else new
        case Global(module, name):
            return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
        case Reduce(function, arguments):
            return opcodes(function) + opcodes(arguments) + b"R"
        case Persistent(id):
            return opcodes(id) + b"Q"
        case Tensor():
            return opcodes(rebuilt(value))
    raise TypeError(type(value))


def pairs(items):
    return b"".join(opcodes(key) + opcodes(value) for key, value in items.items())


def storage(tensor):
    elements = tensor.data.size if tensor.elements is None else tensor.elements
    kind = tensor.storage or STORAGES[str(tensor.data.dtype)]
    return Persistent(("storage", Global("torch", kind), tensor.key, "cpu", elements))


def rebuilt(tensor):
    size = tensor.data.shape if tensor.size is None else tensor.size
    stride = tensor.stride
    if stride is None:
        stride = tuple(step // tensor.data.itemsize for step in tensor.data.strides)
    arguments = (storage(tensor), tensor.offset, size, stride, False, tensor.hooks)
    return Reduce(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def pickled(value):
    return b"\x80\x02" + opcodes(value) + b"."


def weights(
    cell="lstm", layers=1, directions=1, outputs=1, units=UNITS, seed=1, names=("embedding", None, "fc1", "fc2")
):
    """The arrays of a network as PyTorch lays them out, by the names that people give them."""
    random = np.random.default_rng(seed)
    shapes = {f"{names[0]}.weight": (WORDS, WIDTH)}
    for layer in range(layers):
        for suffix in ("", "_reverse")[:directions]:
            into = WIDTH if layer == 0 else units * directions
            for part, columns in (("weight_ih", (into,)), ("weight_hh", (units,)), ("bias_ih", ()), ("bias_hh", ())):
                shapes[f"{names[1] or cell}.{part}_l{layer}{suffix}"] = (GATES[cell] * units, *columns)
    shapes[f"{names[2]}.weight"] = (DENSE, units * directions)
    shapes[f"{names[2]}.bias"] = (DENSE,)
    shapes[f"{names[3]}.weight"] = (outputs, DENSE)
    shapes[f"{names[3]}.bias"] = (outputs,)
    return {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def tensors(arrays, **lies):
    """Each array as a tensor of a storage of its own; `lies` are the tensors that take the place of some."""
    return {name: Tensor(array, str(key)) for key, (name, array) in enumerate(arrays.items())} | lies


def stored(named):
    """The storages behind tensors: the bytes of each key."""
    return {
        value.key: np.ascontiguousarray(value.data).tobytes() for value in named.values() if isinstance(value, Tensor)
    }


def archive(data_pkl, storages=None, compression=zipfile.ZIP_STORED, root="archive", more=None):
    """The bytes of a zip file as `torch.save` writes it."""
    entries = {"data.pkl": data_pkl, "byteorder": b"little"}
    entries |= {f"data/{key}": data for key, data in (storages or {}).items()}
    entries |= {"version": b"3\n"} | (more or {})
    return zipped({f"{root}/{name}": data for name, data in entries.items() if data is not None}, compression)


def zipped(entries, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression, compresslevel=9) as file:
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def saved(named, wrap=lambda state: state, **options):
    """A state dict, or what `wrap` makes of it, as a whole .pt file."""
    return archive(pickled(wrap(Ordered(named))), stored(named), **options)
