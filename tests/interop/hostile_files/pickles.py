"""PyTorch files whose pickle is the trouble, or whose tensors are: written without PyTorch."""

import io
import pickle
import struct
import tarfile

import numpy as np

from .pickle_writer import (
    Global,
    Ordered,
    Persistent,
    Raw,
    Reduce,
    Tensor,
    archive,
    opcodes,
    pickled,
    rebuilt,
    saved,
    stored,
    tensors,
    weights,
    zipped,
)

MIB = 1 << 20


def write(cases):
    named = tensors(weights())
    commands(cases, named)
    other_globals(cases, named)
    bombs(cases, named)
    lying_tensors(cases, named)
    wrong_numbers(cases, named)
    wrong_networks(cases, named)
    containers(cases, named)
    malformed(cases, named)


def noted(named, value):
    """A checkpoint of a good state dict and one thing more."""
    return saved(named, lambda state: {"model_state_dict": state, "note": value})


def commands(cases, named):
    """Each way of the pickle machine to call something; the rest of the file is a good checkpoint."""
    command = f"touch '{cases.marker}'"
    text = opcodes(command)
    getattr_ = Global("builtins", "getattr")
    ways = {
        "reduce": (Reduce(Global("os", "system"), (command,)), "REDUCE of os.system"),
        "reduce-posix": (Reduce(Global("posix", "system"), (command,)), "REDUCE of posix.system, as Python writes it"),
        "eval": (Reduce(Global("builtins", "eval"), (f"__import__('os').system({command!r})",)), "REDUCE of eval"),
        "stack-global": (Raw(b"\x8c\x02os\x94\x8c\x06system\x94\x93" + text + b"\x85R"), "STACK_GLOBAL of os.system"),
        "stack-global-from-memo": (
            Raw(b"\x8c\x06system\x94\x8c\x02os\x9400h\x01h\x00\x93" + text + b"\x85R"),
            "STACK_GLOBAL whose names come from the memo",
        ),
        "inst": (Raw(b"(" + text + b"ios\nsystem\n"), "INST of os.system"),
        "obj": (Raw(b"(cos\nsystem\n" + text + b"o"), "OBJ of os.system"),
        "newobj": (
            Raw(b"csubprocess\nPopen\n" + opcodes((["touch", str(cases.marker)],)) + b"\x81"),
            "NEWOBJ of Popen",
        ),
        "newobj-ex": (
            Raw(b"csubprocess\nPopen\n" + opcodes((["touch", str(cases.marker)],)) + b"}\x92"),
            "NEWOBJ_EX of Popen",
        ),
        "build": (
            Raw(
                b"ccollections\nOrderedDict\n)R"
                + opcodes({"__setstate__": Global("os", "system")})
                + b"b"
                + text
                + b"b"
            ),
            "BUILD that makes os.system the object's __setstate__ and calls it",
        ),
        "getattr": (
            Reduce(Reduce(getattr_, (Reduce(getattr_, (Global("os", "path"), "os")), "system")), (command,)),
            "getattr that gets at os.system by os.path.os",
        ),
        "torch-load": (Reduce(Global("torch.serialization", "load"), ("other.pt",)), "REDUCE of torch.load itself"),
        "hooks": (
            Tensor(named["fc2.bias"].data, "8", hooks=Reduce(Global("os", "system"), (command,))),
            "os.system among a tensor's arguments, as its hooks",
        ),
        "key": (
            Persistent(
                ("storage", Global("torch", "FloatStorage"), Reduce(Global("os", "system"), (command,)), "cpu", 1)
            ),
            "os.system inside a persistent id",
        ),
    }
    for name, (value, what) in ways.items():
        path = cases.hostile(f"pytorch-command-{name}.pt", f"{what}, beside a good state dict")
        path.write_bytes(noted(named, value))
    alone = pickled(Reduce(Global("os", "system"), (command,)))
    cases.hostile("pytorch-command-alone.pt", "a zip whose pickle is os.system alone").write_bytes(archive(alone))
    cases.hostile("pytorch-command-plain.pt", "a plain pickle of os.system").write_bytes(alone)
    inside = saved(named | {"fc2.bias": Reduce(Global("os", "system"), (command,))})
    cases.hostile("pytorch-command-for-a-weight.pt", "os.system in the place of a weight").write_bytes(inside)
    after = pickled(Ordered(named)) + pickled(Reduce(Global("os", "system"), (command,)))
    path = cases.either("pytorch-command-after-stop.pt", "os.system in a second pickle behind a good one in data.pkl")
    path.write_bytes(archive(after, stored(named)))


def other_globals(cases, named):
    scalar = Reduce(
        Global("numpy._core.multiarray", "scalar"),
        (Reduce(Global("numpy", "dtype"), ("f8", False, True)), "\0" * 8),
    )
    for name, value, what in (
        ("eval-uncalled", Global("builtins", "eval"), "builtins.eval, not called"),
        ("numpy-scalar", scalar, "a NumPy scalar, as a loss often is"),
        ("os-uncalled", Global("os", "system"), "os.system, not called"),
        ("argparse", Reduce(Global("argparse", "Namespace")), "argparse.Namespace, as options often are"),
        ("extension", Raw(b"\x82\x01"), "EXT1, a global by its number"),
        (
            "name-with-escapes",
            Global("\x1b[31mred\x1b[0m\x07", "a\rb\u202e"),
            "a global whose name moves the terminal's cursor",
        ),
        ("name-of-1-mb", Global("m" * MIB, "n"), "a global whose name has a million letters"),
        ("storage-of-another", Reduce(Global("torch.os", "Storage")), "torch.os.Storage, which looks like a storage"),
        (
            "rebuild-of-another",
            Reduce(Global("torch._utils", "_rebuild_by_os_system")),
            "an unknown torch._utils._rebuild_*",
        ),
    ):
        path = cases.hostile(f"pytorch-global-{name}.pt", f"{what}, beside a good state dict")
        path.write_bytes(noted(named, value))


def bombs(cases, named):
    state = opcodes(Ordered(named))

    def with_opcodes(data, **options):
        return archive(b"\x80\x02" + data + state + b".", stored(named), **options)

    path = cases.hostile("pytorch-opcodes-100-mib-deflated.pt", "100 MiB of N opcodes, deflated")
    path.write_bytes(with_opcodes(b"N" * (100 * MIB), compression=8))
    path = cases.hostile("pytorch-opcodes-3-mib.pt", "3 MiB of N opcodes, stored: 3 million entries of the stack")
    path.write_bytes(with_opcodes(b"N" * (3 * MIB)))
    for name, opcode in (("marks", b"("), ("empty-dicts", b"}"), ("memoize", b"\x94")):
        path = cases.hostile(f"pytorch-opcodes-{name}-3-mib.pt", f"3 MiB of the opcode {opcode!r}")
        path.write_bytes(with_opcodes(b"N" + opcode * (3 * MIB)))

    # What unpickles without harm in Python itself, which shares what it holds, and must not be copied out.
    def harmless(name, what, data):
        path = cases.either(f"pytorch-{name}.pt", f"{what}, beside a good state dict")
        path.write_bytes(noted(named, Raw(data)))

    # The memo's places 0 to 59; each tuple has the one before twice.
    harmless(
        "memo-bomb",
        "tuples that hold the one before twice, 60 deep: 2^60 leaves",
        b")" + b"".join(b"q%ch%ch%c\x86" % (level, level, level) for level in range(60)),
    )
    harmless(
        "memo-bomb-of-text",
        "a text of 1 MB that the memo gives 100 000 times",
        opcodes("x" * MIB) + b"q\x000(" + b"h\x00" * 100_000 + b"l",
    )
    harmless("memo-index", "LONG_BINPUT at the memo's place 4 294 967 295", b"Nr\xff\xff\xff\xff")
    harmless("nesting-10000", "tuples 10 000 deep", b")" + b"\x85" * 10_000)
    harmless("nesting-400000", "lists 400 000 deep", b"]" * 400_000 + b"a" * 399_999)
    path = cases.hostile("pytorch-long-length.pt", "a LONG4 and a text that declare 2 GiB and are cut")
    path.write_bytes(archive(b"\x80\x02\x8b\xff\xff\xff\x7f" + b"X\xff\xff\xff\x7fabc."))
    path = cases.hostile("pytorch-text8-length.pt", "a BINUNICODE8 that declares 2^63 bytes")
    path.write_bytes(archive(b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"abc."))
    path = cases.hostile("pytorch-frame-length.pt", "a FRAME that declares 2^64 - 1 bytes")
    path.write_bytes(archive(b"\x80\x04\x95" + b"\xff" * 8 + b"N."))
    path = cases.hostile("pytorch-cycle.pt", "a dictionary that holds itself, as a checkpoint")
    path.write_bytes(archive(b"\x80\x02}q\x00X\x0a\x00\x00\x00state_dicth\x00s."))
    path = cases.either(
        "pytorch-cycle-named-model.pt", "a dictionary that holds itself as model_state_dict, beside good tensors"
    )
    path.write_bytes(with_cycle(named))

    aliasing = 20_000
    shared = np.zeros(MIB // 4, np.float32)
    # The memo keeps the file small: the storage is pickled once.
    one = opcodes(rebuilt(Tensor(shared, "0", size=(MIB // 4,), stride=(1,)))) + b"q\x00"
    items = b"".join(opcodes(f"t{number}") + copy_of_storage(number) for number in range(1, aliasing))
    data = b"\x80\x02}(" + opcodes("t0") + one + items + b"u."
    path = cases.hostile("pytorch-aliases.pt", "20 000 tensors of 1 MiB on one storage: 20 GB if each is read")
    path.write_bytes(archive(data, {"0": shared.tobytes()}))
    rows = {f"lstm.weight_ih_l{layer}": named["lstm.weight_ih_l0"] for layer in range(2, 5_000)}
    path = cases.hostile("pytorch-layers-5000.pt", "a state dict of 5000 layers that share a storage")
    path.write_bytes(saved(named | rows))
    path = cases.hostile("pytorch-layer-number.pt", "weight_ih_l4294967295 and weight_ih_l99999999999999999999")
    more = {f"lstm.weight_ih_l{number}": named["lstm.weight_ih_l0"] for number in (2**32 - 1, 99999999999999999999)}
    path.write_bytes(saved(named | more))


def copy_of_storage(number):
    """Another tensor on the storage 0, of the same size."""
    tensor = Tensor(np.zeros(0, np.float32), "0", size=(MIB // 4,), stride=(1,), elements=MIB // 4)
    return opcodes(rebuilt(tensor))


def with_cycle(named):
    inner = b"}q\x00" + opcodes("model_state_dict") + b"h\x00s"
    flat = b"(" + b"".join(opcodes(key) + opcodes(value) for key, value in named.items()) + b"u"
    return archive(b"\x80\x02" + inner + flat + b".", stored(named))


def lying_tensors(cases, named):
    """Tensors whose size, stride, offset or storage is not what is there."""
    embedding = named["embedding.weight"]
    one = np.ones(1, np.float32)

    def with_embedding(name, what, tensor, storages=None, kind=cases.hostile):
        everything = named | {"embedding.weight": tensor}
        data = archive(pickled(Ordered(everything)), stored(everything) | (storages or {}))
        kind(f"pytorch-{name}.pt", what).write_bytes(data)

    def lie(data=embedding.data, **parts):
        return Tensor(data, "0", **parts)

    with_embedding(
        "stride-0-1e10",
        "a tensor of 1e10 elements with stride 0 on a storage of one",
        lie(one, size=(10**10,), stride=(0,)),
    )
    with_embedding(
        "stride-0-embedding",
        "an embedding [5 000 000, 100] with stride 0 on a storage of one number",
        lie(one, size=(5_000_000, 100), stride=(0, 0)),
    )
    with_embedding(
        "size-overflow", "a tensor [2^62, 16]: its product is 0 in 64 bits", lie(size=(2**62, 16), stride=(1, 1))
    )
    with_embedding("size-2-to-the-70", "a tensor whose size has 70 bits", lie(size=(2**70, 3), stride=(3, 1)))
    with_embedding("size-negative", "a tensor of size [-12, -3]", lie(size=(-12, -3)))
    with_embedding("size-0", "an embedding [0, 3]", lie(np.zeros((0, 3), np.float32)))
    with_embedding("size-no-dimensions", "an embedding without dimensions", lie(one, size=(), stride=()))
    with_embedding(
        "size-many-dimensions", "an embedding of 1000 dimensions", lie(one, size=(1,) * 1000, stride=(1,) * 1000)
    )
    with_embedding("size-of-text", "a tensor whose size holds texts", lie(size=("12", "3")))
    with_embedding("size-too-long", "strides fewer than dimensions", lie(size=(12, 3), stride=(3,)))
    with_embedding("stride-negative", "a tensor with stride -1", lie(offset=35, size=(12, 3), stride=(-3, -1)))
    with_embedding("stride-beyond", "strides that lead out of the storage", lie(size=(12, 3), stride=(1000, 1)))
    with_embedding(
        "stride-overflow", "strides of 2^62: the last place overflows 64 bits", lie(size=(12, 3), stride=(2**62, 2**62))
    )
    with_embedding("offset-beyond", "an offset behind the storage's end", lie(offset=1, size=(12, 3), stride=(3, 1)))
    with_embedding("offset-negative", "a negative offset", lie(offset=-1, size=(12, 3), stride=(3, 1)))
    with_embedding("offset-overflow", "an offset of 2^63 - 1", lie(offset=2**63 - 1, size=(12, 3), stride=(3, 1)))
    with_embedding(
        "storage-shorter", "a storage of one number less than declared", lie(), {"0": embedding.data.tobytes()[:-4]}
    )
    with_embedding(
        "storage-odd", "a storage whose bytes aren't whole numbers", lie(), {"0": embedding.data.tobytes()[:-1]}
    )
    with_embedding("storage-count-lies", "a storage that declares 2^60 numbers", lie(elements=2**60), kind=cases.either)
    with_embedding(
        "storage-missing", "a tensor whose storage isn't in the file", Tensor(embedding.data, "99"), {"99": None}
    )
    with_embedding(
        "storage-key-outside",
        "a storage whose key is ../../../etc/passwd",
        Tensor(embedding.data, "../../../etc/passwd"),
        {"../../../etc/passwd": None},
    )
    with_embedding("storage-type-unknown", "a storage of an unknown type", lie(storage="SecretStorage"))
    with_embedding("storage-quantised", "a quantised storage", lie(storage="QInt8Storage"))
    for tensor in (
        "_rebuild_sparse_tensor",
        "_rebuild_qtensor",
        "_rebuild_nested_tensor",
        "_rebuild_meta_tensor_no_storage",
    ):
        value = Reduce(Global("torch._utils", tensor), (1, embedding, (12, 3), False))
        with_embedding(tensor.strip("_").replace("_", "-"), f"an embedding made by {tensor}", value)
    transposed = Tensor(embedding.data.T.copy(), "0", size=(12, 3), stride=(1, 12))
    what = "an embedding of the right shape with stride 0 on one number"
    with_embedding("stride-0-right-shape", what, lie(one, size=embedding.data.shape, stride=(0, 0)), kind=cases.either)
    # As of a parameter that was made by .T: right if the strides are minded.
    transposed = lie(embedding.data.T.copy(), size=(12, 3), stride=(1, 12))
    with_embedding("strided", "an embedding that is stored by columns", transposed, kind=cases.either)


def wrong_numbers(cases, named):
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus-inf", -np.inf)):
        arrays = weights()
        arrays["lstm.weight_hh_l0"][1, 1] = value
        cases.hostile(f"pytorch-{name}.pt", f"one weight is {value}").write_bytes(saved(tensors(arrays)))
    for kind, what in (("int64", "whole numbers"), ("complex64", "complex numbers")):
        arrays = weights()
        arrays["fc1.weight"] = arrays["fc1.weight"].astype(kind)
        cases.hostile(f"pytorch-{kind}.pt", f"a weight of {what}").write_bytes(saved(tensors(arrays)))
    arrays = weights()
    arrays["fc1.weight"] = np.full(arrays["fc1.weight"].shape, 1e300)
    cases.hostile("pytorch-float64-too-large.pt", "weights of 1e300, which are infinite in f32").write_bytes(
        saved(tensors(arrays))
    )


def wrong_networks(cases, named):
    """Whole files of good tensors that are no network, or not one that can be read."""
    arrays = weights()

    def network(name, what, change, kind=cases.hostile):
        changed = dict(arrays)
        change(changed)
        kind(f"pytorch-{name}.pt", what).write_bytes(saved(tensors(changed)))

    def put(**new):
        return lambda state: state.update(
            {key.replace("__", "."): np.zeros(shape, np.float32) for key, shape in new.items()}
        )

    def drop(*keys):
        return lambda state: [state.pop(key) for key in keys]

    network("embedding-transposed", "the embedding as [width, words]", put(embedding__weight=(3, 12)))
    network("hidden-of-another", "weight_hh of 5 units, the others of 4", put(lstm__weight_hh_l0=(20, 5)))
    network("input-of-another", "weight_ih for a width of 4, the embedding's is 3", put(lstm__weight_ih_l0=(16, 4)))
    network("bias-of-another", "a bias of 3 gates", put(lstm__bias_hh_l0=(12,)))
    network("dense-of-another", "a dense layer for 6 features, the layer has 4", put(fc1__weight=(5, 6)))
    network("dense-without-bias", "a dense layer without its bias", drop("fc1.bias"), cases.either)
    network(
        "recurrent-without-bias", "an LSTM without biases", drop("lstm.bias_ih_l0", "lstm.bias_hh_l0"), cases.either
    )
    network("half-a-bias", "bias_ih without bias_hh", drop("lstm.bias_ih_l0"))
    network(
        "projections",
        "an LSTM with projections (weight_hr)",
        put(lstm__weight_hr_l0=(2, 4), lstm__weight_hh_l0=(16, 2)),
    )
    network("no-embedding", "no embedding", drop("embedding.weight"))
    network("no-recurrence", "no recurrent layer", drop(*(key for key in arrays if key.startswith("lstm."))))
    network("no-output", "no output layer", drop("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"))
    network("two-embeddings", "two embeddings", put(other__weight=(12, 3)))
    network("three-dense", "three dense layers", put(fc3__weight=(1, 1), fc3__bias=(1,)))
    network(
        "layer-missing",
        "layers 0 and 2 without 1",
        put(lstm__weight_ih_l2=(16, 4), lstm__weight_hh_l2=(16, 4), lstm__bias_ih_l2=(16,), lstm__bias_hh_l2=(16,)),
    )
    network(
        "direction-in-one-layer",
        "layer 1 has a reverse direction, layer 0 none",
        put(
            **{
                f"lstm__{part}_l1{suffix}": shape
                for suffix in ("", "_reverse")
                for part, shape in (
                    ("weight_ih", (16, 4)),
                    ("weight_hh", (16, 4)),
                    ("bias_ih", (16,)),
                    ("bias_hh", (16,)),
                )
            }
        ),
    )
    network(
        "two-recurrences",
        "an LSTM and a GRU",
        put(gru__weight_ih_l0=(12, 3), gru__weight_hh_l0=(12, 4), gru__bias_ih_l0=(12,), gru__bias_hh_l0=(12,)),
    )
    network("layer-norm", "a LayerNorm more", put(norm__weight=(4,), norm__bias=(4,)))
    network("convolution", "a convolution more", put(conv__weight=(8, 3, 5), conv__bias=(8,)))
    network(
        "cell-unclear",
        "a matrix of 5 gates",
        put(lstm__weight_ih_l0=(20, 3), lstm__weight_hh_l0=(20, 4), lstm__bias_ih_l0=(20,), lstm__bias_hh_l0=(20,)),
    )
    network("embedding-of-another-vocabulary", "13 rows, the words are 12", put(embedding__weight=(13, 3)))
    network(
        "names-with-escapes",
        "a tensor more whose name moves the terminal's cursor",
        lambda state: state.update({"\x1b[2J\x1b]0;title\x07\r\n\u202eevil": np.zeros(1, np.float32)}),
    )
    network(
        "name-of-1-mb",
        "a tensor more whose name has a million letters",
        lambda state: state.update({"n" * MIB: np.zeros(1, np.float32)}),
    )
    network("name-empty", "a tensor more without a name", lambda state: state.update({"": np.zeros(1, np.float32)}))
    network(
        "name-with-nul",
        "a tensor more with a NUL in its name",
        lambda state: state.update({"a\0b": np.zeros(1, np.float32)}),
    )
    network(
        "names-10000",
        "10 000 tensors more",
        lambda state: state.update({f"more.{number}": np.zeros(1, np.float32) for number in range(9_950)}),
    )

    def wrapped(name, what, wrap, kind=cases.hostile):
        kind(f"pytorch-{name}.pt", what).write_bytes(saved(named, wrap))

    def two(state):
        return {
            "model_state_dict": state,
            "ema_state_dict": Ordered({k: Tensor(v.data, v.key) for k, v in named.items()}),
        }

    wrapped("two-state-dicts", "two state dicts of the same tensors, only one named as the model's", two, cases.either)
    wrapped("number-names", "a state dict whose names are numbers", lambda state: dict(enumerate(named.values())))
    wrapped("list", "a list of tensors", lambda state: list(named.values()))
    wrapped(
        "deep",
        "a state dict in eight dictionaries",
        lambda state: {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": state}}}}}}}},
        cases.either,
    )
    wrapped("surrogate", "a name that is no Unicode", lambda state: {"model_state_dict": state, "\ud800": 1})
    for name, what, value in (
        ("empty-dict", "an empty dictionary", {}),
        ("none", "None", None),
        ("number", "a number", 7),
        ("no-tensors", "a dictionary without tensors", {"epoch": 1, "loss": 0.5}),
    ):
        cases.hostile(f"pytorch-{name}.pt", what).write_bytes(archive(pickled(value)))
    twice = b"\x80\x02}(" + b"".join(opcodes(key) + opcodes(value) for key, value in named.items())
    other = Tensor(named["fc2.bias"].data + 1, "100")
    twice += opcodes("fc2.bias") + opcodes(other) + b"u."
    path = cases.either("pytorch-name-twice.pt", "a state dict with fc2.bias twice; for PyTorch the second counts")
    path.write_bytes(archive(twice, stored(named) | {"100": other.data.tobytes()}))


def containers(cases, named):
    """Not the zip files that PyTorch writes since 1.6."""
    for protocol in (0, 2, 5):
        path = cases.hostile(f"pickle-protocol-{protocol}.pkl", f"a plain pickle of numbers, protocol {protocol}")
        path.write_bytes(pickle.dumps({"weight": [1.0, 2.0], "name": "model"}, protocol))
    path = cases.hostile("pytorch-protocol-0.pt", "a zip whose data.pkl is of protocol 0")
    path.write_bytes(archive(pickle.dumps({"weight": [1.0, 2.0], "name": "model"}, 0)))
    path = cases.hostile(
        "pytorch-protocol-0-persistent.pt", "a zip whose data.pkl names a storage by a line of text (PERSID)"
    )
    path.write_bytes(
        archive(
            b"(dVembedding.weight\nctorch._utils\n_rebuild_tensor_v2\n(P0\nI0\n(I12\nI3\nt(I3\nI1\ntI00\nNtRs.",
            stored(named),
        )
    )
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(0, 2)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    cases.hostile("pytorch-tar.pt", "a tar file as PyTorch 0.1.10 wrote").write_bytes(out.getvalue())


def malformed(cases, named):
    good = pickled(Ordered(named))
    for name, data, what in (
        ("empty", b"", "an empty data.pkl"),
        ("stop", b".", "a data.pkl of STOP alone"),
        ("no-stop", good[:-1], "a data.pkl without STOP"),
        ("unknown-opcode", b"\x80\x02\xf7.", "an unknown opcode"),
        ("protocol-255", b"\x80\xff" + good[2:], "protocol 255"),
        ("underflow", b"\x80\x02RRR.", "REDUCE on an empty stack"),
        ("no-mark", b"\x80\x02NNt.", "TUPLE without a mark"),
        ("memo-missing", b"\x80\x02h\x05.", "BINGET of what was never put"),
        ("odd-items", b"\x80\x02}(X\x01\x00\x00\x00au.", "SETITEMS of an odd number"),
        ("setitems-on-list", b"\x80\x02](NNu.", "SETITEMS on a list"),
        ("append-to-tensor", good[:-1] + b"Na.", "APPEND to a state dict"),
        ("global-unended", b"\x80\x02cos\nsystem", "a GLOBAL without its line's end"),
        ("text-not-utf8", b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", "a text that is no UTF-8"),
    ):
        cases.hostile(f"pytorch-pickle-{name}.pt", what).write_bytes(archive(data, stored(named)))
    text = io.BytesIO()
    text.write(zipped({"archive/other.txt": b"hello"}))
    cases.hostile("pytorch-no-data-pkl.pt", "a zip without data.pkl").write_bytes(text.getvalue())
