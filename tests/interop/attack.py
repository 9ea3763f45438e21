"""Imports every file that hostile.py wrote, and says what each import did, how long it took and how much memory.

    python3 attack.py PROGRAM FOLDER

A hostile file must be one clear error; a good one must be imported and agree with its probe; one that may be either must be
one of both. Good files are also cut short at every 512th byte, which must be an error.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS, MEGABYTES = 2.0, 1000
# What a program of its size has in memory before it reads anything, and what it may take beside three times the file.
BESIDE = 64


def run(program, arguments):
    """Exit code, output, error output, seconds, largest resident size in MB."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.monotonic()
        process = subprocess.Popen([program, "import", *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begin > 20:
                process.kill()
            time.sleep(0.002)
        seconds = time.monotonic() - begin
        out.seek(0), err.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return code, out.read().decode(), err.read().decode(errors="replace"), seconds, usage.ru_maxrss / 1000


def problems(code, err, seconds, megabytes, size, is_out):
    """What is wrong with how a file was refused."""
    wrong = []
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    if code not in (1, 2) or len(errors) != 1:
        wrong.append(f"exit code {code}, {len(errors)} errors")
    if "panicked" in err or len(err) > 2000:
        wrong.append("its words are no clear error")
    if is_out:
        wrong.append("a run was left behind")
    return wrong + too_much(seconds, megabytes, size)


def too_much(seconds, megabytes, size):
    most = BESIDE + 3 * size / 1e6
    return [
        text
        for text, holds in [
            (f"{seconds:.1f} s", seconds > SECONDS),
            (f"{megabytes:.0f} MB of a file of {size / 1e6:.1f} MB", megabytes > min(most, MEGABYTES)),
        ]
        if holds
    ]


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    manifest = json.loads((folder / "hostile.json").read_text())
    words = folder / "words.txt"
    counts, failures, largest, slowest = {}, [], (0, ""), (0, "")

    def check(kind, name, file, extra=()):
        nonlocal largest, slowest
        out = Path(tempfile.mkdtemp()) / "run"
        more = manifest["arguments"].get(name, [])
        length = [] if "--max-length" in more else ["--max-length", "6"]
        # What weights alone don't say.
        is_network = file.suffix == ".keras" or file.suffix == ".h5" and not file.name.endswith(".weights.h5")
        mask = [] if is_network or {"--no-mask", "--mask"} & set(more) or "--padding" in more else ["--mask"]
        arguments = [str(file), "--out", str(out), "--vocabulary", str(words), *length, *mask, *more, *extra]
        code, _, err, seconds, megabytes = run(program, arguments)
        if "name the classes with --labels" in err:
            code, _, err, seconds, megabytes = run(program, [*arguments, "--labels", "no,yes"])
        size = file.stat().st_size if file.is_file() else 0
        refused = problems(code, err, seconds, megabytes, min(size, 2**40), out.exists())
        read = too_much(seconds, megabytes, size) + ([] if code == 0 and out.exists() else [f"exit code {code}"])
        wrong = {"hostile": refused, "good": read, "either": refused if code else read}[kind]
        if wrong:
            failures.append(f"{kind} {name}: {'; '.join(wrong)}: {err.strip()[-300:]}")
        largest, slowest = max(largest, (megabytes, name)), max(slowest, (seconds, name))
        counts[kind] = counts.get(kind, 0) + 1
        shutil.rmtree(out.parent)
        return err

    for name in manifest["hostile"]:
        err = check("hostile", name, folder / name)
        if "-v" in sys.argv:
            print(f"{name}: {err.strip()[:300]}")
    for kind in ("good", "either"):
        for name in manifest[kind]:
            file = folder / kind / name
            probe = file.with_name(name.split(".")[0] + ".npz")
            check(kind, f"{kind}/{name}", file, ["--verify", str(probe)] if kind == "good" and probe.exists() else [])
    for name in manifest["cut"]:
        whole = (folder / name).read_bytes()
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / Path(name).name
            for length in range(0, len(whole), 512):
                file.write_bytes(whole[:length])
                check("hostile", f"{name}", file)
    print(f"{counts}; most memory {largest[0]:.0f} MB ({largest[1]}), longest {slowest[0]:.2f} s ({slowest[1]})")
    if (folder / "marker").exists():
        failures.append("a command of a file was run")
    print("\n".join(failures) or "all as it must be")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
