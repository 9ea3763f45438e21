"""Zip files that lie about themselves, in the shape of PyTorch's and of Keras's."""

import struct
import zipfile

import numpy as np

from .pickle_writer import Ordered, archive, pickled, saved, stored, tensors, weights, zipped

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def write(cases):
    named = tensors(weights())
    good = saved(named)
    storages = stored(named)
    data_pkl = pickled(Ordered(named))

    def hostile(name, what, data, kind=cases.hostile):
        kind(f"zip-{name}.pt", what).write_bytes(data)

    hostile("deflated", "a good small state dict, but deflated", saved(named, compression=zipfile.ZIP_DEFLATED))
    hostile("bzip2", "a good small state dict, but of bzip2", saved(named, compression=zipfile.ZIP_BZIP2))
    hostile("lzma", "a good small state dict, but of LZMA", saved(named, compression=zipfile.ZIP_LZMA))
    hostile("empty", "a zip without entries", zipped({}))
    hostile("cut-before-directory", "a zip without its central directory", good[: good.index(CENTRAL)])
    hostile("text-behind", "a zip with 100 000 bytes behind it", good + b"x" * 100_000)

    # Entries of which the directory says something else than is there.
    hostile(
        "size-beyond-file",
        "a storage of which the directory says 4 000 000 000 bytes",
        patched(good, b"data/0", 20, "<II", 4_000_000_000, 4_000_000_000),
    )
    hostile(
        "size-of-nothing", "a storage of which the directory says 0 bytes", patched(good, b"data/0", 20, "<II", 0, 0)
    )
    hostile(
        "pickle-size-beyond-file",
        "a data.pkl of which the directory says 4 000 000 000 bytes",
        patched(good, b"data.pkl", 20, "<II", 4_000_000_000, 4_000_000_000),
    )
    hostile(
        "stored-sizes-differ",
        "a stored data.pkl of 10 bytes that says it unpacks to 4 000 000 000",
        patched(good, b"data.pkl", 20, "<II", 10, 4_000_000_000),
    )
    hostile("offset-beyond-file", "an entry at 4 000 000 000", patched(good, b"data/0", 42, "<I", 4_000_000_000))
    hostile(
        "offset-into-pickle",
        "a storage whose local header would be inside the pickle",
        patched(good, b"data/0", 42, "<I", 60),
    )
    hostile("checksum-wrong", "a storage whose checksum is wrong", patched(good, b"data/0", 16, "<I", 0x12345678))
    hostile("encrypted", "an entry marked as encrypted", patched(good, b"data.pkl", 8, "<H", 1))
    hostile("method-unknown", "an entry packed by method 77", patched(good, b"data.pkl", 10, "<H", 77))
    hostile("data-flipped", "a storage with one bit flipped: the checksum tells", flipped(good, storages["0"]))
    hostile("directory-offset", "a directory at 4 000 000 000", end_patched(good, 16, "<I", 4_000_000_000))
    hostile("directory-count", "an end that counts 60 000 entries", end_patched(good, 8, "<HH", 60_000, 60_000))
    hostile("disk-number", "an end that says disk 7", end_patched(good, 4, "<H", 7), cases.either)
    hostile("zip64-sizes", "zip64 sizes of 2^63", zip64(good, 2**63))

    # Names.
    hostile("names-differ", "a data.pkl that its local header calls evil.pkl", renamed_locally(good), cases.either)
    hostile(
        "two-pickles",
        "two data.pkl of different folders",
        zipped({"a/data.pkl": data_pkl, "b/data.pkl": pickled({}), "a/version": b"3\n"}),
    )
    hostile("pickle-twice", "two entries called archive/data.pkl, the second empty", twice(named, pickled({})))
    hostile(
        "name-outside",
        "an entry called ../../outside",
        archive(data_pkl, storages, more={"../../outside": b"x"}),
        cases.either,
    )
    hostile("name-absolute", "entries below /tmp", archive(data_pkl, storages, root="/tmp/absolute"), cases.either)
    hostile(
        "name-with-escapes",
        "an entry whose name moves the terminal's cursor",
        archive(data_pkl, storages, root="\x1b[2J\x07archive"),
        cases.either,
    )
    hostile(
        "name-not-utf8",
        "an entry whose name is no UTF-8",
        good.replace(b"archive/data/0", b"archive/\xff\xfe\xfd\xfc/0"),
    )
    hostile("pickle-is-a-link", "a data.pkl that is a symbolic link to /etc/passwd", linked(named))
    hostile(
        "big-endian",
        "a big-endian state dict",
        archive(
            data_pkl,
            {key: np.frombuffer(data, "<f4").astype(">f4").tobytes() for key, data in storages.items()},
            more={"byteorder": b"big"},
        ),
        cases.either,
    )
    hostile("byteorder-unknown", "a byteorder of 'middle'", archive(data_pkl, storages, more={"byteorder": b"middle"}))
    hostile("version-99", "version 99", archive(data_pkl, storages, more={"version": b"99\n"}), cases.either)

    hostile("overlapping", "a thousand entries that are one range of 1 MiB", overlapping(1000))
    hostile("entries-70000", "70 000 empty entries (zip64)", many(named, 70_000))
    if cases.large:
        hostile("entries-1000000", "1 000 000 empty entries (zip64)", many(named, 1_000_000))
    else:
        cases.skip("zip-entries-1000000.pt", "about 100 MB: written with --large")
    hostile("nested", "a zip whose only entry is a good .pt", zipped({"model.pt": good}))
    hostile(
        "comment", "a good state dict with a comment of 65 535 bytes that holds another end of a zip", commented(good)
    )

    path = cases.either(
        "zip-nothing-but-pickle.pt", "a state dict without byteorder and version, as the first zip files were"
    )
    path.write_bytes(
        zipped({"archive/data.pkl": data_pkl} | {f"archive/data/{key}": data for key, data in storages.items()})
    )
    path = cases.either("zip-behind-text.pt", "a good zip behind 1000 bytes of something else")
    path.write_bytes(b"x" * 1000 + good)


def patched(data, name, offset, kind, *values):
    """Changes what the central directory says of the entry whose name ends so."""
    data = bytearray(data)
    place = data.index(CENTRAL)
    while data[place : place + 4] == CENTRAL:
        lengths = struct.unpack_from("<HHH", data, place + 28)
        if data[place + 46 : place + 46 + lengths[0]].endswith(name):
            struct.pack_into(kind, data, place + offset, *values)
            return bytes(data)
        place += 46 + sum(lengths)
    raise ValueError(name)


def end_patched(data, offset, kind, *values):
    data = bytearray(data)
    struct.pack_into(kind, data, data.rindex(END) + offset, *values)
    return bytes(data)


def zip64(data, size):
    """Says of data/0 that its size is in a zip64 field, and puts `size` there."""
    data = bytearray(patched(data, b"data/0", 20, "<II", 0xFFFFFFFF, 0xFFFFFFFF))
    place = data.index(b"archive/data/0", data.index(CENTRAL)) - 46
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    struct.pack_into("<H", data, place + 30, len(extra))
    end = place + 46 + len("archive/data/0")
    data[end:end] = extra
    (length,) = struct.unpack_from("<I", data, data.rindex(END) + 12)
    return end_patched(bytes(data), 12, "<I", length + len(extra))


def flipped(data, part):
    data = bytearray(data)
    data[data.index(part) + 2] ^= 1
    return bytes(data)


def renamed_locally(data):
    return data.replace(b"archive/data.pkl", b"archive/evil.pkl", 1)


def twice(named, second):
    """`zipfile` would warn of the second: it gets another name first, of the same length."""
    data = archive(pickled(Ordered(named)), stored(named), more={"data.pk2": second})
    return data.replace(b"archive/data.pk2", b"archive/data.pkl")


def linked(named):
    data = archive(b"/etc/passwd", stored(named))
    # The mode of a Unix link is in the upper half of the external attributes; 3 is Unix.
    data = patched(data, b"data.pkl", 38, "<I", 0o120777 << 16)
    return patched(data, b"data.pkl", 4, "<H", 3 << 8 | 20)


def overlapping(count):
    """Entries data/0… that all lie where the first does."""
    size = 1 << 20
    names = [f"archive/data/{number}" for number in range(count)]
    checksum = 0xA738EA1C  # Of 1 MiB of zeros.
    local = struct.pack("<4s5H3I2H", LOCAL, 20, 0, 0, 0, 0x21, checksum, size, size, len(names[0]), 0)
    body = local + names[0].encode() + bytes(size)
    directory = b"".join(
        struct.pack("<4s6H3I5H2I", CENTRAL, 20, 20, 0, 0, 0, 0x21, checksum, size, size, len(name), 0, 0, 0, 0, 0, 0)
        + name.encode()
        for name in names
    )
    return body + directory + struct.pack("<4s4H2IH", END, 0, 0, count, count, len(directory), len(body), 0)


def many(named, count):
    empty = {f"e/{number}": b"" for number in range(count)}
    return archive(pickled(Ordered(named)), stored(named), more=empty)


def commented(data):
    """The comment ends in the end of an empty zip: which of the two counts is up to the reader."""
    comment = bytes(65_535 - 22) + struct.pack("<4s4H2IH", END, 0, 0, 0, 0, 0, 0, 0)
    return end_patched(data, 20, "<H", len(comment)) + comment
