#!/usr/bin/env python3
"""What can be known about the kernels on drivers and compilers that this machine's GPU, if any, does not use.

docs/portability.md says what each check proves."""

import argparse
import importlib
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True

from common import ROOT, WORK, Failed, NotRun, run, say, texts

CHECKS = ["spirv", "dxc", "tint", "fast_math", "radv", "swiftshader", "validation"]


def write_texts():
    """Every kernel's WGSL, SPIR-V, MSL and HLSL, in a folder."""
    folder = WORK / "texts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say("writing the kernels' texts: cargo test")
    # The whole workspace, as `just test` builds it.
    command = ["cargo", "test", "--release", "--workspace", "--lib", "every_kernel_becomes_spirv_msl_and_hlsl"]
    run(command, {"GATEFOLD_SHADERS": str(folder)}, cwd=ROOT)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"one of {', '.join(CHECKS)}; all of them if none is named")
    parser.add_argument("--texts", type=Path, metavar="FOLDER", help="the kernels' texts, if they are written already")
    parser.add_argument("--allow-missing", action="store_true", help="end with 0 though a check could not run")
    arguments = parser.parse_args()
    if unknown := set(arguments.checks) - set(CHECKS):
        parser.error(f"no such check: {', '.join(unknown)}")

    try:
        folder = (arguments.texts or write_texts()).absolute()
        number = len(texts(folder, "wgsl"))
    except Failed as failure:
        sys.exit(f"error: the kernels' texts: {failure}")
    print(f"{number} kernels, each as WGSL, SPIR-V, MSL and HLSL, in {folder}", flush=True)
    results = []
    for name in arguments.checks or CHECKS:
        start = time.monotonic()
        try:
            result, said = "passed", importlib.import_module(name).check(folder)
        except Failed as failure:
            result, said = "FAILED", str(failure)
        except NotRun as missing:
            result, said = "NOT RUN", str(missing)
        results.append(result)
        print(f"{name:<12} {result:<8} {time.monotonic() - start:4.0f} s  {said}", flush=True)
    counts = Counter(results)
    print(f"{len(results)} checks: " + ", ".join(f"{counts[result]} {result}" for result in ("passed", "FAILED", "NOT RUN")))
    fine = {"passed", "NOT RUN"} if arguments.allow_missing else {"passed"}
    sys.exit(not set(results) <= fine)


if __name__ == "__main__":
    main()
