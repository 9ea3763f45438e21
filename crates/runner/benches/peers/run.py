"""Measures Gatefold beside Keras, PyTorch and Burn on this machine's CPU; writes a Markdown table.

    just bench-peers [--rounds 5] [--steps 3] [--data FOLDER] [--output bench-peers.md] [--quick]

It makes its own Python environment in the user's cache folder. Everyone uses their default threads. In
every round each library runs a few steps of a workload, one library after the other, so that what slows
the machine for a while slows them all; a library's time is the median over the rounds of each round's
median. `--data`: the folder with `imdb.npz` and its word index, for the training from end to end.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import asdict, replace
from pathlib import Path

from workloads import Workload

HERE = Path(__file__).parent
# Threads of other libraries spin for a while when their work is done.
PAUSE = 0.3

LESSON = Workload("lstm", 128, 256, 16, 64, ragged=False, train=True)
SHAPES = [
    *(replace(LESSON, cell=cell) for cell in ["lstm", "gru", "rnn"]),
    *(replace(LESSON, cell=cell, ragged=True) for cell in ["lstm", "gru", "rnn"]),
    *(replace(LESSON, cell=cell, input=128, hidden=256) for cell in ["lstm", "gru"]),
    *(replace(LESSON, cell=cell, batch=1, time=200) for cell in ["lstm", "gru", "rnn"]),
]


def environment():
    """The Python of an environment that has the requirements."""
    requirements = HERE / "requirements.txt"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "gatefold" / "bench-peers"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != requirements.read_text():
        print(f"making a Python environment in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


class Worker:
    """A library in a process of its own, at rest until it is asked."""

    def __init__(self, python, script):
        self.process = subprocess.Popen(
            [python, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        about = self.answer()
        self.name, self.version, self.threads = (about[k] for k in ["name", "version", "threads"])

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {self.process.args} ended early")
        return json.loads(line)

    def measure(self, workload, steps, last):
        request = {"workload": asdict(workload), "steps": steps, "last": last}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return {f"{self.name}, {name}": times for name, times in self.answer().items()}


def gatefold(program, shape, steps, burn):
    """Both passes by our program: from pass and implementation to the round's median."""
    command = [program, "bench", "--device", "cpu", "--format", "json", "--steps", str(steps)]
    for flag, value in [
        ("--cells", shape.cell),
        ("--batches", shape.batch),
        ("--times", shape.time),
        ("--hiddens", shape.hidden),
        ("--embedding-size", shape.input),
        ("--implementations", "gatefold,burn" if burn else "gatefold"),
    ]:
        command += [flag, str(value)]
    if shape.ragged:
        command.append("--ragged")
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    return {
        (record["pass"], record["implementation"].capitalize()): record["median_ms"]
        for record in records
    }


def measure(program, workers, shape, rounds, steps):
    """From pass and library to each round's median."""
    times = {}
    # A step of Burn's takes seconds, and its layers know no lengths: once, at the lesson's sizes.
    burn_round = rounds // 2 if shape in SHAPES[:3] else None
    for turn in range(rounds):
        measured = gatefold(program, shape, steps, turn == burn_round)
        for worker in workers:
            for train in [True, False]:
                time.sleep(PAUSE)
                workload = replace(shape, train=train)
                found = worker.measure(workload, steps, turn == rounds - 1)
                for name, milliseconds in found.items():
                    step = "train" if train else "forward"
                    measured[step, name] = statistics.median(milliseconds)
        time.sleep(PAUSE)
        for key, value in measured.items():
            times.setdefault(key, []).append(value)
    return times


def cell_text(values):
    median = statistics.median(values)
    digits = 1 if median >= 10 else 2
    spread = f" ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{median:.{digits}f}{spread}"


def rows(shape, times):
    """A line a pass, with each library's best variant, and a line a variant."""
    summary, details = [], []
    what = f"{shape.cell}, B {shape.batch} × T {shape.time}, E {shape.input}, H {shape.hidden}"
    what += ", ragged" if shape.ragged else ""
    for step in ["train", "forward"]:
        ours = statistics.median(times[step, "Gatefold"])
        line = [what, step, cell_text(times[step, "Gatefold"])]
        for library in ["Keras", "PyTorch", "Burn"]:
            found = [
                values
                for (of, name), values in times.items()
                if of == step and name.split(",")[0] == library
            ]
            best = min(found, key=statistics.median, default=None)
            line.append(
                f"{cell_text(best)} = {statistics.median(best) / ours:.2f}×" if best else ""
            )
        summary.append("| " + " | ".join(line) + " |")
        for (of, name), values in times.items():
            if of == step:
                ratio = statistics.median(values) / ours
                details.append(f"| {what} | {step} | {name} | {cell_text(values)} | {ratio:.2f}× |")
    return summary, details


def lesson(program, python, data):
    """The lesson from end to end on the real reviews: ours, theirs, ours, each in seconds and accuracy."""
    lines = []

    def ours():
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            command = [program, "train", "--dataset", "imdb", "--data", data / "imdb.npz"]
            command += ["--device", "cpu", "--run", run]
            subprocess.run(command, check=True, capture_output=True)
            summary = json.loads((run / "summary.json").read_text())
        time.sleep(PAUSE)
        seconds, accuracy = summary["training_seconds"], summary["test_accuracy"]
        lines.append(f"| Gatefold | {seconds:.1f} | {accuracy:.4f} |")
        return seconds

    first = ours()
    command = [python, HERE / "keras_lesson.py", data]
    result = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    keras = json.loads(result.splitlines()[-1])
    lines.append(f"| Keras | {keras['seconds']:.1f} | {keras['accuracy']:.4f} |")
    second = ours()
    ratio = keras["seconds"] / statistics.mean([first, second])
    return lines, ratio


def processor():
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = found.group(1)
    except (OSError, AttributeError):
        name = platform.processor()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the gatefold program, built with --release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of imdb.npz; without it, no training")
    parser.add_argument("--output", type=Path, default=Path("bench-peers.md"))
    parser.add_argument("--quick", action="store_true", help="the lesson's sizes alone")
    args = parser.parse_args()
    if args.rounds < 1 or args.steps < 1:
        parser.error("--rounds and --steps must be at least 1")
    if args.data and not (args.data / "imdb.npz").is_file():
        parser.error(f"there is no imdb.npz in {args.data}")

    python = environment()
    workers = [Worker(python, script) for script in ["keras_worker.py", "torch_worker.py"]]
    summary, details = [], []
    for shape in SHAPES[:3] if args.quick else SHAPES:
        print(f"measuring {shape}", file=sys.stderr)
        lines = rows(shape, measure(args.program, workers, shape, args.rounds, args.steps))
        summary += lines[0]
        details += lines[1]
    version = subprocess.run(
        [args.program, "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    page = [
        f"{processor()}. {version}; "
        + "; ".join(f"{w.name} {w.version}, {w.threads} threads" for w in workers)
        + f". Milliseconds a step, medians of {args.rounds} rounds of {args.steps} steps and the"
        " fastest and slowest round; × is how many times faster Gatefold is than the library's best"
        " variant.",
        "",
        "| workload | step | Gatefold | Keras | PyTorch | Burn on Flex |",
        "| --- | --- | --- | --- | --- | --- |",
        *summary,
    ]
    for worker in workers:
        worker.process.stdin.close()
        worker.process.wait()
    if args.data:
        print("training the lesson's network from end to end", file=sys.stderr)
        lines, ratio = lesson(args.program, python, args.data)
        page += [
            "",
            f"The lesson on the real reviews, five epochs; Gatefold takes 1/{ratio:.2f} of the time:",
            "",
            "| | fit, seconds | test accuracy |",
            "| --- | --- | --- |",
            *lines,
        ]
    page += [
        "",
        "Every variant:",
        "",
        "| workload | step | library | ms | Gatefold is faster |",
        "| --- | --- | --- | --- | --- |",
        *details,
        "",
    ]
    beside = args.output.with_name(args.output.name + ".part")
    beside.write_text("\n".join(page))
    beside.replace(args.output)
    print("\n".join(page))


if __name__ == "__main__":
    main()
