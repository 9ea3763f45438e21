"""HDF5 files in the shape of Keras's `.weights.h5` and its older `.h5`, written by h5py and then spoilt."""

import io
import json
import os
import struct
import zlib

import h5py
import numpy as np

from networks import DENSE, UNITS, WIDTH, WORDS

from .pickle_writer import GATES

EMBEDDING = "layers/embedding/vars/0"
RECURRENT = "layers/lstm/cell/vars"
DENSE_KERNEL = "layers/dense/vars/0"
LAYERS = {
    "embedding": ["embeddings"],
    "lstm": ["kernel", "recurrent_kernel", "bias"],
    "dense": ["kernel", "bias"],
    "dense_1": ["kernel", "bias"],
}


def write(cases):
    datasets(cases)
    elsewhere(cases)
    sizes(cases)
    links(cases)
    raw(cases)
    containers(cases)
    legacy(cases)


def arrays(cell="lstm", seed=1):
    """What `save_weights` writes for Embedding, the cell and two Dense layers."""
    random = np.random.default_rng(seed)
    shapes = {
        EMBEDDING: (WORDS, WIDTH),
        f"layers/{cell}/cell/vars/0": (WIDTH, GATES[cell] * UNITS),
        f"layers/{cell}/cell/vars/1": (UNITS, GATES[cell] * UNITS),
        f"layers/{cell}/cell/vars/2": (GATES[cell] * UNITS,),
        DENSE_KERNEL: (UNITS, DENSE),
        "layers/dense/vars/1": (DENSE,),
        "layers/dense_1/vars/0": (DENSE, 1),
        "layers/dense_1/vars/1": (1,),
    }
    return {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def built(change=None, values=None, **options):
    """The bytes of a file of those arrays, after `change` has had the open file."""
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as file:
        for name, array in (arrays() if values is None else values).items():
            file[name] = array
        if change:
            change(file)
    return out.getvalue()


def without(file, name):
    """Makes room for something else; gives what was there."""
    array = file[name][()]
    del file[name]
    return array


def case(kind, name, what, change=None, values=None, **options):
    kind(f"hdf5-{name}.weights.h5", what).write_bytes(built(change, values, **options))


def replaced(name, **options):
    """A change that creates the dataset anew, of the same numbers unless `options` say otherwise."""

    def change(file):
        array = without(file, name)
        file.create_dataset(name, **{"data": array, **options})

    return change


def datasets(cases):
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus-inf", -np.inf)):
        values = arrays()
        values[f"{RECURRENT}/1"][1, 1] = value
        case(cases.hostile, name, f"one weight is {value}", values=values)
    for kind in ("int64", "complex64", "S4", "bool"):
        values = arrays()
        values[DENSE_KERNEL] = values[DENSE_KERNEL].astype(kind)
        case(cases.hostile, f"type-{kind}".lower(), f"a weight of the type {kind}", values=values)
    compound = np.zeros((UNITS, DENSE), [("real", "<f4"), ("other", "<f4")])
    case(cases.hostile, "type-compound", "a weight of pairs", replaced(DENSE_KERNEL, data=compound))
    case(
        cases.hostile,
        "type-text",
        "a weight of texts",
        replaced(DENSE_KERNEL, data=np.full((UNITS, DENSE), "1.0", object), dtype=h5py.string_dtype()),
    )
    case(
        cases.hostile,
        "type-ragged",
        "a weight of arrays of any length",
        replaced(DENSE_KERNEL, data=None, shape=(UNITS, DENSE), dtype=h5py.vlen_dtype("f4")),
    )
    case(
        cases.hostile,
        "type-reference",
        "a weight of references",
        replaced(DENSE_KERNEL, data=None, shape=(UNITS, DENSE), dtype=h5py.ref_dtype),
    )
    case(
        cases.hostile,
        "type-float128",
        "a weight of 16-byte floats",
        values=arrays() | {DENSE_KERNEL: np.zeros((UNITS, DENSE), np.longdouble)},
    )
    case(
        cases.hostile,
        "float64-too-large",
        "weights of 1e300, which are infinite in f32",
        values=arrays() | {DENSE_KERNEL: np.full((UNITS, DENSE), 1e300)},
    )
    case(cases.hostile, "space-null", "a weight without a data space", replaced(DENSE_KERNEL, data=h5py.Empty("f4")))
    case(cases.hostile, "space-scalar", "a weight that is one number", replaced(DENSE_KERNEL, data=np.float32(1)))
    case(
        cases.hostile,
        "space-32-dimensions",
        "a weight of 32 dimensions",
        replaced(DENSE_KERNEL, data=np.zeros((1,) * 32, np.float32)),
    )
    case(
        cases.hostile,
        "space-0-rows",
        "an embedding without rows",
        replaced(EMBEDDING, data=np.zeros((0, WIDTH), np.float32)),
    )
    case(
        cases.hostile,
        "embedding-transposed",
        "the embedding as [width, words]",
        replaced(EMBEDDING, data=np.zeros((WIDTH, WORDS), np.float32)),
    )
    case(
        cases.hostile,
        "hidden-of-another",
        "a recurrent kernel of 5 units, the others of 4",
        replaced(f"{RECURRENT}/1", data=np.zeros((5, 20), np.float32)),
    )
    case(
        cases.hostile,
        "weight-is-a-group",
        "a group in the place of a weight",
        lambda file: (without(file, DENSE_KERNEL), file.create_group(DENSE_KERNEL)),
    )
    case(cases.hostile, "weight-missing", "a recurrent kernel less", lambda file: without(file, f"{RECURRENT}/1"))
    case(
        cases.hostile,
        "weight-more",
        "a fourth weight of the cell",
        lambda file: file.create_dataset(f"{RECURRENT}/3", data=np.zeros(16, np.float32)),
    )
    case(
        cases.hostile,
        "layer-unknown",
        "a convolution more",
        lambda file: file.create_dataset("layers/conv1d/vars/0", data=np.zeros((5, 3, 8), np.float32)),
    )
    case(cases.hostile, "layers-two-cells", "an LSTM and a GRU", values=arrays() | arrays("gru"))
    case(
        cases.hostile,
        "layers-two-embeddings",
        "two embeddings",
        lambda file: file.create_dataset("layers/embedding_1/vars/0", data=np.zeros((WORDS, WIDTH), np.float32)),
    )
    case(
        cases.hostile,
        "layers-gap",
        "a dense_3 without dense_2",
        lambda file: file.create_dataset("layers/dense_3/vars/0", data=np.zeros((1, 1), np.float32)),
    )
    case(cases.hostile, "no-weights", "HDF5 without weights", values={"x/y": np.arange(5.0)})
    case(cases.hostile, "nothing", "HDF5 with nothing inside", values={})
    escapes = "\x1b[2J\x1b]0;title\x07\r\n\u202eevil"
    case(
        cases.hostile,
        "names-with-escapes",
        "a layer whose name moves the terminal's cursor",
        lambda file: file.create_dataset(f"layers/{escapes}/vars/0", data=np.zeros(1, np.float32)),
    )
    case(
        cases.hostile,
        "name-of-60-kb",
        "a layer whose name has 60 000 letters",
        lambda file: file.create_dataset(f"layers/{'n' * 60_000}/vars/0", data=np.zeros(1, np.float32)),
    )
    case(
        cases.either,
        "layers-20000",
        "20 000 layers more",
        lambda file: [file.create_group(f"layers/x{number}") for number in range(20_000)],
    )
    case(cases.hostile, "deep", "a layer 5000 groups deep", lambda file: deep(file["layers"], 5000))
    case(
        cases.hostile,
        "attributes-20000",
        "20 000 attributes of the root, then no weights",
        lambda file: [file.attrs.create(f"a{number}", number) for number in range(20_000)],
        values={},
        libver="latest",
    )

    big = {name: array.astype(">f4") for name, array in arrays().items()}
    case(cases.either, "big-endian", "big-endian numbers, as h5py on such a machine writes", values=big)
    case(
        cases.either,
        "unwritten",
        "a bias that was never written, so it is its fill value, 0",
        replaced("layers/dense/vars/1", data=None, shape=(DENSE,), dtype="f4"),
    )
    case(
        cases.hostile,
        "unwritten-nan",
        "a bias that was never written and whose fill value is not a number",
        replaced("layers/dense/vars/1", data=None, shape=(DENSE,), dtype="f4", fillvalue=np.nan),
    )
    case(cases.either, "gzip", "a compressed weight", replaced(DENSE_KERNEL, compression="gzip", chunks=(2, 2)))
    case(
        cases.either,
        "shuffle-fletcher32",
        "a shuffled weight with a checksum",
        replaced(DENSE_KERNEL, compression="gzip", shuffle=True, fletcher32=True),
    )
    case(cases.either, "lzf", "a weight compressed by LZF", replaced(DENSE_KERNEL, compression="lzf"))
    case(
        cases.either, "version-latest", "a superblock of the latest version, groups as it writes them", libver="latest"
    )
    case(cases.either, "user-block", "512 bytes before the superblock", userblock_size=512)
    case(cases.either, "compact", "weights inside the object headers", compact)


def deep(group, levels):
    for _ in range(levels):
        group = group.create_group("g")


def compact(file):
    array = without(file, DENSE_KERNEL)
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(array.shape)
    new = h5py.h5d.create(file["layers/dense/vars"].id, b"0", h5py.h5t.IEEE_F32LE, space, options)
    new.write(h5py.h5s.ALL, h5py.h5s.ALL, array)


def elsewhere(cases):
    """Weights whose numbers are in another file: if they are read, the network is a good one."""
    values = arrays()
    kernel = values[DENSE_KERNEL]
    secret = cases.aside("secret.bin")
    secret.write_bytes(kernel.tobytes())
    (cases.folder / "secret-beside.bin").write_bytes(kernel.tobytes())
    other = cases.aside("other.h5")
    other.write_bytes(built())
    options = {"data": None, "shape": kernel.shape, "dtype": "f4"}
    size = kernel.nbytes
    case(
        cases.hostile,
        "external",
        "a weight whose numbers are in another file",
        replaced(DENSE_KERNEL, **options, external=[(str(secret), 0, size)]),
    )
    case(
        cases.hostile,
        "external-beside",
        "a weight whose numbers are in a file beside this one",
        replaced(DENSE_KERNEL, **options, external=[("secret-beside.bin", 0, size)]),
    )
    case(
        cases.hostile,
        "external-outside",
        "a weight whose numbers are in /etc/passwd",
        replaced(DENSE_KERNEL, **options, external=[("/etc/passwd", 0, size)]),
    )
    case(
        cases.hostile,
        "external-endless",
        "a weight whose numbers are in /dev/zero",
        replaced(DENSE_KERNEL, **options, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)]),
    )

    def virtual(file_name):
        layout = h5py.VirtualLayout(kernel.shape, "f4")
        layout[:] = h5py.VirtualSource(file_name, DENSE_KERNEL, kernel.shape)

        def change(file):
            without(file, DENSE_KERNEL)
            file.create_virtual_dataset(DENSE_KERNEL, layout)

        return change

    case(cases.hostile, "virtual", "a virtual weight of another file's numbers", virtual(str(other)))
    case(cases.hostile, "virtual-itself", "a virtual weight made of itself", virtual("."))

    def link(target):
        def change(file):
            without(file, DENSE_KERNEL)
            file[DENSE_KERNEL] = target

        return change

    case(
        cases.hostile,
        "external-link",
        "a link to a weight of another file",
        link(h5py.ExternalLink(str(other), DENSE_KERNEL)),
    )
    case(
        cases.hostile,
        "external-link-to-fifo",
        "a link into a named pipe that nobody writes to",
        link(h5py.ExternalLink(str(cases.folder / "fifo.pt"), DENSE_KERNEL)),
    )

    def layer(file):
        del file["layers/lstm"]
        file["layers/lstm"] = h5py.ExternalLink(str(other), "layers/lstm")

    case(cases.hostile, "external-link-to-layer", "a link to a layer of another file", layer)


def links(cases):
    def moved(*links):
        def change(file):
            file["elsewhere"] = without(file, DENSE_KERNEL)
            for name, target in links:
                file[name] = h5py.SoftLink(target)

        return change

    case(cases.hostile, "soft-link", "a soft link in the place of a weight", moved((DENSE_KERNEL, "/elsewhere")))
    case(cases.hostile, "soft-link-to-nothing", "a soft link to nothing", moved((DENSE_KERNEL, "/nothing")))
    case(cases.hostile, "soft-link-to-itself", "a soft link to itself", moved((DENSE_KERNEL, f"/{DENSE_KERNEL}")))
    case(
        cases.hostile,
        "soft-link-cycle",
        "two soft links to each other",
        moved((DENSE_KERNEL, "/other"), ("other", f"/{DENSE_KERNEL}")),
    )

    def tree(file):
        group = file.create_group("layers/tree")
        for _ in range(60):
            child = group.create_group("a")
            group["b"] = child
            group = child

    case(cases.either, "group-tree", "60 groups, each twice in the one before (hard links): 2^60 paths", tree)

    def cycle(file):
        file["layers/dense/vars/again"] = file["layers"]

    case(cases.either, "group-cycle", "a group that holds itself", cycle)
    case(cases.either, "hard-link", "two biases that are one dataset", shared)


def shared(file):
    file["layers/lstm/cell/vars/spare"] = file["layers/dense/vars/1"]
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = file["layers/lstm/cell/vars/spare"]
    del file["layers/lstm/cell/vars/spare"]
    del file["layers/dense_1/vars/1"]
    file["layers/dense_1/vars/1"] = np.zeros(1, np.float32)


def sizes(cases):
    """Datasets that declare much more than there is."""

    def consistent(words, width, units):
        def change(file):
            shapes = {
                EMBEDDING: (words, width),
                f"{RECURRENT}/0": (width, 4 * units),
                f"{RECURRENT}/1": (units, 4 * units),
                f"{RECURRENT}/2": (4 * units,),
                DENSE_KERNEL: (units, DENSE),
            }
            for name, shape in shapes.items():
                without(file, name)
                file.create_dataset(name, shape, "f4")

        return change

    case(
        cases.hostile,
        "declared-1-tb",
        "an embedding of 1 TB that was never written",
        consistent(5_000_000, 50_000, UNITS),
    )
    case(
        cases.hostile,
        "declared-17-gb",
        "a layer of 32 768 units, 17 GB, that was never written; all shapes fit",
        consistent(WORDS, WIDTH, 32_768),
    )
    case(
        cases.hostile,
        "declared-2-to-the-62",
        "an embedding of 2^62 numbers",
        replaced(EMBEDDING, data=None, shape=(2**31, 2**31), dtype="f4", chunks=(1, 1)),
    )
    gib = 1 << 30
    packed = zeros(gib + (1 << 26))

    def bomb(chunk, shape, data):
        def change(file):
            without(file, EMBEDDING)
            new = file.create_dataset(EMBEDDING, shape, "f4", chunks=chunk, maxshape=(None, None), compression="gzip")
            new.id.write_direct_chunk((0, 0), data)

        return change

    case(
        cases.hostile,
        "bomb-chunk",
        "an embedding of the right shape in one chunk of 1 GiB, zeros compressed to 1 MB",
        bomb((1 << 14, 1 << 14), (WORDS, WIDTH), zeros(gib)),
    )
    case(
        cases.hostile,
        "bomb-larger-than-chunk",
        "a chunk of 256 KiB that unpacks to more than 1 GiB",
        bomb((1024, 64), (WORDS, WIDTH), packed),
    )
    case(cases.hostile, "bomb-packed-twice", "an embedding of 1 GiB of zeros, compressed twice to 4 KB", packed_twice)
    case(
        cases.hostile,
        "bomb-shape",
        "an embedding of 1 GiB of zeros in chunks of 64 MiB, compressed to 1 MB",
        chunks_of_zeros,
    )
    case(
        cases.hostile,
        "chunk-not-zlib",
        "a compressed chunk that is no zlib",
        bomb((WORDS, WIDTH), (WORDS, WIDTH), b"hello world"),
    )
    case(
        cases.hostile,
        "chunk-too-short",
        "a chunk that unpacks to 10 bytes",
        bomb((WORDS, WIDTH), (WORDS, WIDTH), zlib.compress(bytes(10))),
    )

    def unfiltered(file):
        without(file, EMBEDDING)
        new = file.create_dataset(EMBEDDING, (WORDS, WIDTH), "f4", chunks=(WORDS, WIDTH))
        new.id.write_direct_chunk((0, 0), b"1234")

    case(cases.hostile, "chunk-of-4-bytes", "a chunk of 144 bytes of which 4 are there", unfiltered)


def zeros(count):
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(count >> 20)) + packer.flush()


def chunks_of_zeros(file):
    without(file, EMBEDDING)
    side, count = 1 << 12, 16
    new = file.create_dataset(EMBEDDING, (count * side, side), "f4", chunks=(side, side), compression="gzip")
    packed = zeros(4 * side * side)
    for number in range(count):
        new.id.write_direct_chunk((number * side, 0), packed)


def packed_twice(file):
    without(file, EMBEDDING)
    side = 1 << 14
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_chunk((side, side))
    options.set_deflate(9)
    options.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (9,))
    space = h5py.h5s.create_simple((WORDS, WIDTH), (h5py.h5s.UNLIMITED,) * 2)
    new = h5py.h5d.create(file["layers/embedding/vars"].id, b"0", h5py.h5t.IEEE_F32LE, space, options)
    new.write_direct_chunk((0, 0), zlib.compress(zeros(4 * side * side), 9))


def raw(cases):
    """Bytes changed by hand. Addresses are of 8 bytes; the superblock of version 0 is the file's first 96."""
    ROOT_HEADER, ROOT_TREE, ROOT_HEAP, END_OF_FILE = 64, 80, 88, 40

    def spoilt(name, what, data, kind=cases.hostile):
        kind(f"hdf5-raw-{name}.weights.h5", what).write_bytes(data)

    good = built()
    address = header_addresses(good)
    vars_header = address[RECURRENT]
    root = read(good, ROOT_HEADER)

    def poked(*changes, more=b"", base=good):
        data = bytearray(base)
        for place, kind, *values in changes:
            struct.pack_into("<" + kind, data, place, *values)
        if more:
            struct.pack_into("<Q", data, END_OF_FILE, len(data) + len(more))
        return bytes(data) + more

    spoilt("end-of-file", "a superblock that says the file ends at 2^60", poked((END_OF_FILE, "Q", 1 << 60)))
    spoilt("root-beyond-file", "a root behind the file's end", poked((ROOT_HEADER, "Q", 1 << 40)))
    spoilt("root-undefined", "a root at the undefined address", poked((ROOT_HEADER, "Q", 2**64 - 1)))
    spoilt("root-is-the-superblock", "a root at 0", poked((ROOT_HEADER, "Q", 0)))
    spoilt("root-is-a-dataset", "a root that is a dataset", poked((ROOT_HEADER, "Q", address[EMBEDDING])))
    spoilt("offset-size-3", "addresses of 3 bytes", poked((13, "B", 3)))
    spoilt("offset-size-255", "addresses of 255 bytes", poked((13, "B", 255)))
    spoilt("tree-k-0", "groups whose tree has no room", poked((16, "HH", 0, 0)), cases.either)
    spoilt("version-99", "a superblock of version 99", poked((8, "B", 99)))

    # Object headers of version 1: 16 bytes, then messages of 8 + size; 0x10 says where more messages are.
    loop = (vars_header + 16, "HHBxxxQQ", 0x10, 16, 0, vars_header + 16, 24)
    spoilt(
        "continuation-itself", "an object header that goes on at itself", poked((vars_header + 2, "H", 65_535), loop)
    )
    begin = len(good)
    blocks = b"".join(
        struct.pack("<HHBxxxQQ", 0x10, 16, 0, begin + 48 * min(level + 1, 59), 48) * 2 for level in range(60)
    )
    tree = (vars_header + 16, "HHBxxxQQ", 0x10, 16, 0, begin, 48)
    spoilt(
        "continuation-tree",
        "an object header that goes on in two equal places, 60 deep: 2^60 blocks",
        poked((vars_header + 2, "H", 65_535), tree, more=blocks),
    )
    spoilt(
        "continuation-1-eb",
        "an object header that goes on for 2^60 bytes",
        poked((vars_header + 16, "HHBxxxQQ", 0x10, 16, 0, 96, 1 << 60)),
    )
    spoilt("header-size", "an object header of 4 GiB", poked((vars_header + 8, "I", 2**32 - 1)))
    spoilt("message-size", "a message of 65 535 bytes in a header of 24", poked((vars_header + 18, "H", 65_535)))
    spoilt(
        "message-unknown",
        "an unknown message that must be understood",
        poked((vars_header + 16, "HHB", 0x7F, 16, 0x80)),
    )

    # A group's tree: TREE, type, level, entries, two siblings, then key, child, key, child, key.
    first = read(good, ROOT_TREE)
    begin, size = len(good), 24 + 8 * 65
    keys = struct.unpack_from("<QQQ", good, first + 24)

    def node(level, child, left=2**64 - 1):
        values = (keys[0], child, keys[2], child, keys[2])
        return struct.pack("<4sBBHQQ5Q", b"TREE", 0, level, 2, left, 2**64 - 1, *values).ljust(size, b"\0")

    def rooted(top, more=b""):
        return poked((ROOT_TREE, "Q", top), (root + 24, "Q", top), more=more)

    nodes = b"".join(node(level, begin + size * (level - 2) if level > 1 else first) for level in range(1, 61))
    spoilt(
        "group-tree",
        "a group's tree of 60 nodes with two equal children each: 2^60 visits",
        rooted(begin + 59 * size, nodes),
        cases.either,
    )
    flat = b"".join(node(1, begin + size * (level - 2) if level > 1 else first) for level in range(1, 61))
    spoilt("group-tree-of-one-level", "the same, each node of level 1", rooted(begin + 59 * size, flat), cases.either)
    spoilt("group-tree-itself", "a group's tree whose node has itself as child", rooted(begin, node(1, begin)))
    spoilt(
        "group-tree-sibling",
        "a node that is its own left sibling",
        poked((first + 8, "QQ", first, first)),
        cases.either,
    )
    spoilt("group-tree-entries", "a node of 65 535 entries", poked((first + 6, "H", 65_535)))
    spoilt("group-tree-of-chunks", "a tree of chunks in the place of a group's", poked((first + 4, "B", 1)))
    names = good.index(b"SNOD")
    spoilt("names-65535", "a list of 65 535 names", poked((names + 6, "H", 65_535)))
    spoilt("name-beyond-heap", "a name at 2^40 of its heap", poked((names + 8, "Q", 1 << 40)))
    heap = read(good, ROOT_HEAP)
    spoilt("heap-1-eb", "a heap of names of 2^60 bytes", poked((heap + 8, "Q", 1 << 60)))
    spoilt(
        "heap-free-list",
        "a heap whose list of free places leads to itself",
        poked((heap + 16, "Q", 8), (read(good, heap + 24) + 8, "QQ", 8, 16)),
        cases.either,
    )
    spoilt("heap-beyond-file", "a heap whose names are behind the file's end", poked((heap + 24, "Q", 1 << 40)))
    spoilt("child-is-the-root", "a layer that is the root group", poked((names + 16, "Q", root)))

    # A dataset's messages, found by their type.
    kernel = address[DENSE_KERNEL]
    space, kind, layout = (message(good, kernel, number) for number in (0x01, 0x03, 0x08))
    spoilt("space-255-dimensions", "a data space of 255 dimensions", poked((space + 1, "B", 255)))
    spoilt("space-overflow", "a data space of 2^63 x 2^63", poked((space + 8, "QQ", 1 << 63, 1 << 63)))
    spoilt("space-larger-than-stored", "a kernel that says [4, 5] and has 8 bytes", poked((layout + 10, "Q", 8)))
    spoilt("layout-beyond-file", "a kernel behind the file's end", poked((layout + 2, "Q", 1 << 40)))
    spoilt(
        "layout-at-the-end",
        "a kernel whose last byte is behind the file's end",
        poked((layout + 2, "Q", len(good) - 79)),
    )
    spoilt("layout-overflow", "a kernel at 2^64 - 8", poked((layout + 2, "Q", 2**64 - 8)))
    spoilt("layout-unknown", "a layout of class 9", poked((layout + 1, "B", 9)))
    spoilt("type-size-0", "floats of 0 bytes", poked((kind + 4, "I", 0)))
    spoilt("type-size-4-gib", "floats of 4 GiB", poked((kind + 4, "I", 2**32 - 1)))
    spoilt("type-odd-float", "floats whose exponent has 200 bits", poked((kind + 13, "B", 200)))

    # A tree of chunks: its key has the chunk's bytes, a mask and the place in each dimension and in the element.
    chunked = built(replaced(DENSE_KERNEL, chunks=(UNITS, DENSE)))
    place = chunked.index(b"TREE\x01")
    spoilt(
        "chunk-tree-itself",
        "a tree of chunks whose node has itself as child",
        poked((place + 5, "B", 1), (place + 56, "Q", place), base=chunked),
    )
    spoilt("chunk-2-gib", "a chunk that says 2 GiB", poked((place + 24, "I", 1 << 31), base=chunked))
    spoilt("chunk-beyond-file", "a chunk behind the file's end", poked((place + 56, "Q", 1 << 40), base=chunked))
    spoilt("chunk-tree-entries", "a tree of 65 535 chunks", poked((place + 6, "H", 65_535), base=chunked))
    key = chunked[place + 24 : place + 56]
    last = struct.pack("<IIQQQ", 0, 0, UNITS, DENSE, 4)
    begin = len(chunked)
    size = 24 + 64 * (32 + 8) + 32
    nodes = b""
    for level in range(1, 61):
        below = struct.pack("<Q", begin + size * (level - 2) if level > 1 else place)
        head = struct.pack("<4sBBHQQ", b"TREE", 1, level, 2, 2**64 - 1, 2**64 - 1)
        nodes += (head + key + below + key + below + last).ljust(size, b"\0")
    layout = message(chunked, header_addresses(chunked)[DENSE_KERNEL], 0x08)
    spoilt(
        "chunk-tree",
        "a tree of chunks of 60 nodes with two equal children each",
        poked((layout + 3, "Q", begin + 59 * size), more=nodes, base=chunked),
        cases.either,
    )


def read(data, place):
    return struct.unpack_from("<Q", data, place)[0]


def header_addresses(data):
    """Where the object header of each group and dataset is."""
    found = {}
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(lambda name, item: found.setdefault(name, h5py.h5o.get_info(item.id).addr) and None)
    return found


def message(data, header, kind):
    """Where the data of a message of an object header of version 1 begin."""
    (count,) = struct.unpack_from("<H", data, header + 2)
    place = header + 16
    for _ in range(count):
        this, size = struct.unpack_from("<HH", data, place)
        if this == kind:
            return place + 8
        place += 8 + size
    raise ValueError(f"no message {kind:#x}")


def containers(cases):
    good = built()
    cases.hostile("hdf5-signature-alone.weights.h5", "the signature of HDF5 and nothing else").write_bytes(good[:8])
    path = cases.either("hdf5-sparse.weights.h5", "a good file that goes on for 100 GB of holes")
    path.write_bytes(good)
    os.truncate(path, 100 << 30)


def config(**changes):
    """What Keras 2 says of the network; `changes` are of its recurrent layer."""
    layers = [
        (
            "Embedding",
            "embedding",
            {
                "batch_input_shape": [None, None],
                "input_dim": WORDS,
                "output_dim": WIDTH,
                "mask_zero": True,
                "input_length": None,
            },
        ),
        (
            "LSTM",
            "lstm",
            {
                "return_sequences": False,
                "return_state": False,
                "go_backwards": False,
                "stateful": False,
                "unroll": False,
                "time_major": False,
                "units": UNITS,
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "use_bias": True,
                "unit_forget_bias": True,
                "dropout": 0.0,
                "recurrent_dropout": 0.0,
                "implementation": 2,
            }
            | changes,
        ),
        ("Dense", "dense", {"units": DENSE, "activation": "relu", "use_bias": True}),
        ("Dense", "dense_1", {"units": 1, "activation": "sigmoid", "use_bias": True}),
    ]
    layers = [
        {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32"} | own}
        for kind, name, own in layers
    ]
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}


def legacy_file(path, text, fixed=False, names=None):
    """A `.h5` as Keras 2 wrote it; with h5py 2 its texts were of fixed length."""

    def texts(values):
        return np.array(values, "S") if fixed else [value.encode() for value in values]

    by_layer = {}
    for name, array in arrays().items():
        by_layer.setdefault(name.split("/")[1], []).append(array)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_(b"2.4.0") if fixed else b"2.13.1"
        file.attrs["backend"] = np.bytes_(b"tensorflow") if fixed else b"tensorflow"
        if text is not None:
            file.attrs["model_config"] = np.bytes_(text.encode()) if fixed else text
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = texts(list(names or LAYERS))
        for layer, parts in LAYERS.items():
            cell = "lstm/lstm_cell" if layer == "lstm" else layer
            paths = [f"{cell}/{part}:0" for part in parts]
            own = group.create_group(layer)
            own.attrs["weight_names"] = texts(paths)
            for place, array in zip(paths, by_layer[layer]):
                own[place] = array
        group.create_group("top_level_model_weights").attrs["weight_names"] = np.array([], "f8")


def legacy(cases):
    text = json.dumps(config())
    for fixed in (False, True):
        version = "2.4" if fixed else "2.13"
        path = cases.good(
            f"keras-{version}.h5",
            f"a .h5 as Keras {version} wrote it, texts of {'fixed' if fixed else 'any'} length",
            cut=fixed,
        )
        legacy_file(path, text, fixed)

    def hostile(name, what, text, **options):
        legacy_file(cases.hostile(f"keras-legacy-{name}.h5", what), text, **options)

    hostile("config-50-mb", "a model_config of 50 MB", json.dumps(config() | {"more": "x" * (50 << 20)}))
    hostile("config-missing", "no model_config", None)
    hostile("config-no-json", "a model_config that is no JSON", "hello")
    hostile("config-deep", "a model_config of 100 000 lists", "[" * 100_000 + "]" * 100_000)
    hostile(
        "config-hard-sigmoid",
        "an LSTM of hard_sigmoid, as Keras 1 and early 2 wrote",
        json.dumps(config(recurrent_activation="hard_sigmoid")),
    )
    hostile("config-units", "a model_config of 5 units, the weights have 4", json.dumps(config(units=5)))
    hostile("config-units-2-to-the-63", "a model_config of 2^63 units", json.dumps(config(units=2**63)))
    hostile("config-units-negative", "a model_config of -4 units", json.dumps(config(units=-4)))
    hostile("config-units-fraction", "a model_config of 4.5 units", json.dumps(config(units=4.5)))
    hostile("layer-names-of-others", "layer_names that name layers which aren't there", text, names=["a", "b"])
    hostile(
        "layer-names-outside", "layer_names that lead out of the group", text, names=["..", "/", "embedding/../lstm"]
    )

    path = cases.hostile("keras-legacy-heap-size.h5", "a heap of texts whose first says 2^63 bytes")
    legacy_file(path, text)
    patch(path, b"GCOL", 24, 1 << 63)
    path = cases.hostile("keras-legacy-heap-of-2-to-the-62.h5", "a heap of texts of 2^62 bytes")
    legacy_file(path, text)
    patch(path, b"GCOL", 8, 1 << 62)
    path = cases.hostile("keras-legacy-heap-of-empty-texts.h5", "a heap of texts of 0 bytes")
    legacy_file(path, text)
    patch(path, b"GCOL", 8, 0)


def patch(path, signature, offset, value):
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, data.index(signature) + offset, value)
    path.write_bytes(data)
