"""The activations as Metal compiles them: MSL, with fast math.

naga's MSL of them is compiled by clang as C++ with the same liberties (no NaN, no infinity, reassociation, reciprocals), and
with an `exp` that is no better than Metal's fast one; once more with denormals flushed to zero. What comes out is compared
with exact values."""

import ctypes
import math
import random
import re
import struct
import subprocess

from common import HERE, WORK, Failed, debian, texts

FUNCTIONS = ("sigmoid", "hyperbolic_tangent", "sigmoid_slope", "tanh_slope", "flush")
# Gradients below it are zero.
VANISHED = 1e-30
NORMAL = 2.0**-126
LARGEST = 3.4028234663852886e38
SPECIAL = [0.0, 1e-45, 1e-40, NORMAL, 1e-38, 1e-31, 0.99e-30, 1.01e-30, 1e-20, 1e-8, 1e-4, 0.0999, 0.1, 0.1001, 1.0, 8.9, 9.1, 17.0, 44.0, 87.3, 88.8, 104.0, 1e4, 1e19, 1e30, LARGEST, math.inf]


def functions(folder):
    """Each of the activations in MSL, and how naga calls it, once for each text that it has."""
    found = {}
    for text in texts(folder, "metal"):
        source = text.read_text()
        for meaning, alias in re.findall(r"^typedef ([\w:]+) (Rows|Bits|Mask);$", source, re.MULTILINE):
            source = re.sub(rf"\b{alias}\b", meaning, source)
        for name in FUNCTIONS:
            for match in re.finditer(rf"^metal::float4 ({name}_?)\(.*?^\}}$", source, re.DOTALL | re.MULTILINE):
                found[re.sub(r"(\w)_\d+\b", r"\1", match[0])] = match[1]
    if missing := [name for name in FUNCTIONS if name not in {called.rstrip("_") for called in found.values()}]:
        raise Failed(f"no MSL text has {', '.join(missing)}")
    return [(called.rstrip("_"), called, text) for text, called in found.items()]


def compiled(compiler, found):
    """A function for each of the activations, from floats to floats."""
    lines = ['#include "metal.h"']
    for number, (_, called, text) in enumerate(found):
        lines += [f"namespace f{number} {{", text, "}", f"APPLY({number}, f{number}::{called})"]
    folder = WORK / "fast_math"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "activations.cpp"
    source.write_text("\n".join(lines))
    flags = ["-std=c++17", "-O3", "-ffast-math", "-fPIC", "-Wall", f"-I{HERE}", "-c"]
    subprocess.run([compiler, *flags, source, "-o", source.with_suffix(".o")], check=True)
    # Not linked with fast math, which would flush denormals in all of this process.
    subprocess.run([compiler, "-shared", source.with_suffix(".o"), "-o", source.with_suffix(".so"), "-lm"], check=True)
    library = ctypes.CDLL(str(source.with_suffix(".so")))

    def applied(number, values, flushing):
        values = values + [0.0] * (-len(values) % 4)
        floats = ctypes.c_float * len(values)
        results = floats()
        getattr(library, f"apply{number}")(floats(*values), results, len(values), flushing)
        return list(results)

    return applied


def exact(name, x):
    if name == "sigmoid":
        return math.exp(x) / (1 + math.exp(x)) if x < 0 else 1 / (1 + math.exp(-x))
    if name == "hyperbolic_tangent":
        return math.tanh(x)
    if name == "sigmoid_slope":
        return x * (1 - x)
    if name == "tanh_slope":
        return 1 - x * x
    return 0.0 if abs(x) < VANISHED else x


def inputs(name):
    """Floats: special ones with both signs, and a sweep."""
    numbers = random.Random(0)
    if "slope" in name:
        values = [i / 2**16 for i in range(2**16 + 1)]
    else:
        values = SPECIAL + [i / 2**11 for i in range(2**16)] + [2.0 ** numbers.uniform(-149, 128) for _ in range(2**16)]
    values = [struct.unpack("f", struct.pack("f", min(x, LARGEST) if x != math.inf else x))[0] for x in values]
    # A sigmoid's value is no less than 0.
    return values if name == "sigmoid_slope" else values + [-x for x in values]


def check(folder):
    compiler = debian("clang", "clang++")
    found = functions(folder)
    applied = compiled(compiler, found)
    wrong, worst = [], {}
    for number, (name, _, _) in enumerate(found):
        values = inputs(name)
        for flushing in (False, True):
            for x, y in zip(values, applied(number, values, flushing)):
                right = exact(name, x)
                error = 0.0 if y == right else abs(y - right)
                # Neither NaN, nor off by more than rounding; what has vanished and is flushed may be off by all of itself.
                if not error <= 4e-7 + (1e-6 * abs(right) if name == "flush" else 0):
                    wrong.append(f"{name}({x:g}) = {y:g}, not {right:g}")
                worst[name] = max(worst.get(name, 0.0), error if math.isfinite(error) and name != "flush" else 0.0)
            if not math.isnan(applied(number, [math.nan], flushing)[0]):
                wrong.append(f"{name}(NaN) = {applied(number, [math.nan], flushing)[0]:g}: a NaN gets lost")
    if wrong:
        raise Failed(f"{len(wrong)} values\n" + "\n".join(dict.fromkeys(wrong)))
    errors = ", ".join(f"{name} {error:.0e}" for name, error in worst.items() if name != "flush")
    return f"finite and NaN stay what they are; largest errors: {errors}"
