"""Measures Gatefold beside Keras, PyTorch, ONNX Runtime, JAX and Burn on this machine's CPU; writes a Markdown table.

    just bench-peers [--workloads lesson,ragged] [--peers pytorch,burn] [--cells lstm] [--threads 1,2]
                     [--rounds 5] [--steps 3] [--avx2] [--data FOLDER] [--output bench-peers.md]

It makes a Python environment a library in the user's cache folder. Gatefold uses its default threads, the others
each number of `--threads`. In every round each library runs a few steps of a workload, one library after the
other, so that what slows the machine for a while slows them all; a library's time is the median over the rounds
of each round's median. After the first round only those variants go on that came near their library's best.

The Python libraries begin with the same weights; before they are timed, their answers have to be the same, after a
few steps of training too. `--data`: the folder with `imdb.npz` and its word index, for the training from end to end.
"""

import argparse
import itertools
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from workloads import Workload

HERE = Path(__file__).parent
# Threads of other libraries spin for a while when their work is done.
PAUSE = 0.3
# A variant whose fastest step takes longer than so many times its library's fastest is left out after the first round.
NEAR = 1.5
# Short steps are measured so many times as often, at most.
MORE_STEPS = 10
# How far logits may lie apart: of the first weights, after steps of training, and then of Keras's, which adds Adam's
# epsilon elsewhere.
UNTRAINED, TRAINED, TRAINED_BY_KERAS = 1e-5, 1e-4, 1e-2


@dataclass(frozen=True)
class Peer:
    name: str
    script: str
    packages: tuple[str, ...]


PEERS = {
    "keras": Peer("Keras", "keras_worker.py", ("tensorflow-cpu==2.21.0", "keras==3.15.1")),
    "pytorch": Peer("PyTorch", "torch_worker.py", ("torch==2.15.0", "numpy==2.4.6")),
    "onnx": Peer("ONNX Runtime", "onnx_worker.py", ("onnx==1.23.2", "onnxruntime==1.32.0")),
    "jax": Peer("JAX", "jax_worker.py", ("jax==0.10.2",)),
}
BURN = "burn"

CELLS = ["lstm", "gru", "rnn"]
LESSON = Workload("lstm", 128, 256, 16, 64, ragged=False, train=True)
# By name: sizes, each of which is run with every cell.
WORKLOADS = {
    "lesson": [LESSON],
    "ragged": [replace(LESSON, ragged=True)],
    "large": [replace(LESSON, input=128, hidden=256)],
    "single": [replace(LESSON, batch=1, time=200)],
    "forward": [replace(LESSON, batch=batch, train=False) for batch in [1, 8, 32]],
}
# Names that keep a library from vectors of more than 256 bits. ONNX Runtime knows none.
AVX2 = {
    "GATEFOLD_SIMD": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}


def environment(name, peer):
    """The Python of an environment that has a library; None, and a word, if it doesn't install."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "gatefold" / "bench-peers" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "packages.txt"
    packages = "".join(f"{package}\n" for package in peer.packages)
    if stamp.is_file() and stamp.read_text() == packages:
        return python
    print(f"making a Python environment in {folder}", file=sys.stderr)
    try:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *peer.packages], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"WARNING: {peer.name} does not install, and is left out: {error}", file=sys.stderr)
        return None
    stamp.write_text(packages)
    return python


class Worker:
    """A library in a process of its own, with a number of threads, at rest until it is asked."""

    def __init__(self, python, peer, threads):
        command = [python, HERE / peer.script, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        about = self.answer()
        self.name, self.version = about["name"], about["version"]
        # Of each workload, those that are still measured.
        self.variants = {}
        self.suffix = f", {threads} thread{'s' if threads > 1 else ''}"

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {self.process.args} ended early")
        return json.loads(line)

    def measure(self, workload, steps, going_on, last):
        """Each variant's steps, and the first time its answers. `going_on`: full names; None: all."""
        own = self.variants.get(workload, [])
        names = [name for name in own if going_on is None or self.full(name) in going_on]
        if going_on is None or names:
            time.sleep(PAUSE)
        request = {
            "workload": asdict(workload),
            "steps": steps,
            "variants": None if going_on is None else names,
            "last": last,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = self.answer()
        self.variants[workload] = list(reply["times"])
        return tuple(
            {self.full(name): value for name, value in reply[part].items()}
            for part in ["times", "answers"]
        )

    def full(self, variant):
        return f"{self.name}, {variant}{self.suffix}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


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


def library(name):
    return name.split(",")[0]


def passes(shape):
    return ["train", "forward"] if shape.train else ["forward"]


def near_the_best(times):
    """The variants that are not much slower than their library's best."""
    best = {}
    for name, steps in times.items():
        best[library(name)] = min(*steps, best.get(library(name), float("inf")))
    return {name for name, steps in times.items() if min(steps) <= NEAR * best[library(name)]}


def largest_differences(workload, answers):
    """How far logits lie apart, before training and after steps of it, among those who read the same.

    An error if that is more than rounding.
    """
    differences = [0.0, 0.0]
    for masked in [True, False]:
        alike = {
            name: given["logits"]
            for name, given in answers.items()
            # Without padding there is nothing to mask.
            if given["masked"] == masked or not workload.ragged
        }
        for (one, ours), (other, theirs) in itertools.combinations(alike.items(), 2):
            for when, (a, b) in enumerate(zip(ours, theirs)):
                apart = max(abs(x - y) for x, y in zip(a, b))
                trained = TRAINED_BY_KERAS if "Keras" in map(library, [one, other]) else TRAINED
                if not apart <= [UNTRAINED, trained][when]:
                    raise SystemExit(f"error: {one} and {other} differ by {apart} on {workload}")
                differences[when] = max(differences[when], apart)
    return differences


def measure(program, workers, shape, rounds, steps, burn):
    """From pass and variant to each round's median, and the largest differences between answers."""
    times, differences, going_on = {}, [0.0, 0.0], {}
    steps *= min(MORE_STEPS, LESSON.batch // shape.batch)
    for turn in range(rounds):
        # A step of Burn's takes seconds: once.
        measured = gatefold(program, shape, steps, burn and turn == rounds // 2)
        for step in passes(shape):
            workload = replace(shape, train=step == "train")
            found, answers = {}, {}
            for worker in workers:
                steps_of, given = worker.measure(
                    workload, steps, going_on.get(step), turn == rounds - 1
                )
                found |= steps_of
                answers |= given
            if turn == 0:
                apart = largest_differences(workload, answers)
                differences = [max(pair) for pair in zip(differences, apart)]
                going_on[step] = near_the_best(found)
            measured |= {(step, name): statistics.median(one) for name, one in found.items()}
        time.sleep(PAUSE)
        for key, value in measured.items():
            times.setdefault(key, []).append(value)
    return times, differences


def cell_text(values):
    median = statistics.median(values)
    digits = 1 if median >= 10 else 2 if median >= 1 else 3
    spread = f" ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{median:.{digits}f}{spread}"


def rows(shape, times, libraries):
    """A line a pass, with each library's best variant, and a line a variant."""
    summary, details = [], []
    what = f"{shape.cell}, B {shape.batch} × T {shape.time}, E {shape.input}, H {shape.hidden}"
    what += ", ragged" if shape.ragged else ""
    for step in passes(shape):
        ours = statistics.median(times[step, "Gatefold"])
        line = [what, step, cell_text(times[step, "Gatefold"])]
        found = {name: values for (of, name), values in times.items() if of == step}
        # Those that went on to the last round.
        rounds = max(len(values) for values in found.values())
        for of in libraries:
            whole = {
                name: values
                for name, values in found.items()
                if library(name) == of and (len(values) == rounds or of == "Burn")
            }
            if not whole:
                line.append("")
                continue
            best = min(whole, key=lambda name: statistics.median(whole[name]))
            ratio = statistics.median(whole[best]) / ours
            text = f"{cell_text(whole[best])} = {ratio:.2f}×"
            line.append(text + best.removeprefix(of))
        summary.append("| " + " | ".join(line) + " |")
        for name, values in found.items():
            ratio = statistics.median(values) / ours
            details.append(
                f"| {what} | {step} | {name} | {cell_text(values)} | {len(values)} | {ratio:.2f}× |"
            )
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


def some_of(known):
    """Reads a list of names."""

    def read(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


def at_least_1(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for flag, known in [("workloads", WORKLOADS), ("peers", [*PEERS, BURN]), ("cells", CELLS)]:
        known = list(known)
        parser.add_argument(
            f"--{flag}", type=some_of(known), default=known, help=f"of {','.join(known)}"
        )
    parser.add_argument("program", help="the gatefold program, built with --release")
    parser.add_argument(
        "--threads",
        type=lambda text: [at_least_1(number) for number in text.split(",")],
        default=sorted({1, os.cpu_count() or 1}),
        help="numbers of threads that the other libraries try; 1 and all cores",
    )
    parser.add_argument("--rounds", type=at_least_1, default=5)
    parser.add_argument("--steps", type=at_least_1, default=3)
    parser.add_argument(
        "--avx2", action="store_true", help="no larger vectors, except in ONNX Runtime"
    )
    parser.add_argument("--data", type=Path, help="folder of imdb.npz; without it, no training")
    parser.add_argument("--output", type=Path, default=Path("bench-peers.md"))
    args = parser.parse_args()
    if args.data and not (args.data / "imdb.npz").is_file():
        parser.error(f"there is no imdb.npz in {args.data}")
    if args.data and "keras" not in args.peers:
        parser.error("--data trains beside Keras, which is not among --peers")
    return args


def main():
    args = arguments()
    if args.avx2:
        os.environ.update(AVX2)
    pythons = {peer: environment(name, peer) for name, peer in PEERS.items() if name in args.peers}
    missing = [peer.name for peer, python in pythons.items() if not python]
    workers = [
        Worker(python, peer, threads)
        for peer, python in pythons.items()
        if python
        for threads in args.threads
    ]
    libraries = list(dict.fromkeys(worker.name for worker in workers))
    libraries += ["Burn"] if BURN in args.peers else []

    summary, details, differences = [], [], [0.0, 0.0]
    for name in args.workloads:
        for shape in [replace(size, cell=cell) for size in WORKLOADS[name] for cell in args.cells]:
            print(f"measuring {shape}", file=sys.stderr)
            # Burn's layers know no lengths, and take long: at the lesson's sizes alone.
            burn = BURN in args.peers and name == "lesson"
            times, apart = measure(args.program, workers, shape, args.rounds, args.steps, burn)
            differences = [max(pair) for pair in zip(differences, apart)]
            lines = rows(shape, times, libraries)
            summary += lines[0]
            details += lines[1]
    version = subprocess.run(
        [args.program, "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    versions = dict.fromkeys(f"{worker.name} {worker.version}" for worker in workers)
    about = "; ".join([version, *versions])
    page = [
        f"{processor()}. {about}."
        + (" Vectors of AVX2, except in ONNX Runtime." if args.avx2 else "")
        + "".join(f" **{name} did not install.**" for name in missing)
        + f" Milliseconds a step, medians of {args.rounds} rounds of at least {args.steps} steps and the"
        " fastest and slowest round; × is how many times faster Gatefold is than the library's best"
        " variant, which is named. The Python libraries' logits, from the same weights, lie at most"
        f" {differences[0]:.1e} apart, and {differences[1]:.1e} after steps of training.",
        "",
        f"| workload | step | Gatefold | {' | '.join(libraries)} |",
        "| --- " * (3 + len(libraries)) + "|",
        *summary,
    ]
    for worker in workers:
        worker.close()
    if args.data and pythons.get(PEERS["keras"]):
        print("training the lesson's network from end to end", file=sys.stderr)
        lines, ratio = lesson(args.program, pythons[PEERS["keras"]], args.data)
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
        "Every variant, in how many rounds it was measured:",
        "",
        "| workload | step | library | ms | rounds | Gatefold is faster |",
        "| --- | --- | --- | --- | --- | --- |",
        *details,
        "",
    ]
    beside = args.output.with_name(args.output.name + ".part")
    beside.write_text("\n".join(page))
    beside.replace(args.output)
    print("\n".join(page))


if __name__ == "__main__":
    main()
