"""DXC, the compiler of DX12 where there is one, with the arguments that wgpu passes: every kernel's HLSL to DXIL."""

import ctypes
import platform
import subprocess
import sys
import uuid
import zipfile
from concurrent.futures import ProcessPoolExecutor

from common import WORK, Failed, NotRun, texts

# A Python package that brings the compiler's library along.
PACKAGE = "compushady-lrtu==0.18.0"
# The first that DXC has, and one that drivers of today have.
MODELS = ["cs_6_0", "cs_6_6"]
UTF8 = 65001
UNSIGNED = "warning: DXIL signing library"


def library():
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotRun("the compiler's library is packaged for Linux on x86_64 only")
    folder = WORK / "dxc"
    if not (found := list(folder.glob("*/*/libdxcompiler_x86_64.so"))):
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        if subprocess.run(download, stdout=sys.stderr, check=False).returncode:
            raise NotRun(f"pip can't download {PACKAGE}")
        for wheel in folder.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
        found = list(folder.glob("*/*/libdxcompiler_x86_64.so"))
    if not found:
        raise NotRun(f"{PACKAGE} holds no libdxcompiler_x86_64.so")
    return found[0]


def method(this, slot, *types, result=ctypes.c_int32):
    """A method of a COM object, by its place in the object's table."""
    table = ctypes.cast(this, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    return lambda *arguments: ctypes.CFUNCTYPE(result, ctypes.c_void_p, *types)(table[slot])(this, *arguments)


def guid(text):
    return (ctypes.c_char * 16).from_buffer_copy(uuid.UUID(text).bytes_le)


class Buffer(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("size", ctypes.c_size_t), ("encoding", ctypes.c_uint32)]


def called(status, what):
    if status < 0:
        raise Failed(f"{what}: {status & 0xFFFFFFFF:#x}")


def blob(result, slot):
    """What a blob of the compiler's result holds."""
    pointer = ctypes.c_void_p()
    called(method(result, slot, ctypes.c_void_p)(ctypes.byref(pointer)), "a part of the result")
    if not pointer:
        return b""
    # IDxcBlob: GetBufferPointer, GetBufferSize.
    data = method(pointer, 3, result=ctypes.c_void_p)()
    size = method(pointer, 4, result=ctypes.c_size_t)()
    content = ctypes.string_at(data, size)
    method(pointer, 2)()  # Release
    return content


def compile_text(path, text, model):
    """What is wrong with a text, or nothing."""
    library = ctypes.CDLL(str(path))
    compiler = ctypes.c_void_p()
    create = library.DxcCreateInstance(
        guid("73e22d93-e6ce-47f3-b5bf-f0664f39c1b0"),  # CLSID_DxcCompiler
        guid("228b4687-5a6a-4730-900c-9702b2203f54"),  # IDxcCompiler3
        ctypes.byref(compiler),
    )
    called(create, "DxcCreateInstance")
    # As wgpu-hal has them.
    words = ["-E", "main", "-T", model, "-HV", "2018", "-no-warnings", "-Ges"]
    arguments = (ctypes.c_wchar_p * len(words))(*words)
    content = text.read_bytes()
    source = Buffer(content, len(content), UTF8)
    result = ctypes.c_void_p()
    compile_ = method(
        compiler, 3, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
    )
    interface = guid("58346cda-dde7-4497-9461-6f87af5e0659")  # IDxcResult
    called(compile_(ctypes.byref(source), arguments, len(words), None, interface, ctypes.byref(result)), "Compile")
    # IDxcOperationResult: GetStatus, GetResult, GetErrorBuffer.
    status = ctypes.c_int32()
    called(method(result, 3, ctypes.c_void_p)(ctypes.byref(status)), "GetStatus")
    message = blob(result, 5).decode(errors="replace").strip("\0\n")
    # Windows has that library; all else is an error, as wgpu takes any message for one.
    message = "" if message.startswith(UNSIGNED) and "\n" not in message else message
    code = b"" if status.value < 0 else blob(result, 4)
    method(result, 2)()
    method(compiler, 2)()
    return None if code[:4] == b"DXBC" and not message else f"{text.name} as {model}: {message or 'no DXIL'}"


def check(folder):
    path = library()
    sources = texts(folder, "hlsl")
    jobs = [(path, text, model) for text in sources for model in MODELS]
    with ProcessPoolExecutor() as pool:
        failures = [failure for failure in pool.map(compile_text, *zip(*jobs), chunksize=8) if failure]
    if failures:
        raise Failed(f"{len(failures)} of {len(jobs)}\n" + "\n".join(failures[:5]))
    return f"{len(sources)} texts compile to DXIL, as {' and '.join(MODELS)} ({PACKAGE})"
