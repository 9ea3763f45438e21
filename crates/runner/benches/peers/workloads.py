"""What is measured, and the loop of a worker: a process that holds one library and runs steps when told.

    WORKER.py THREADS

A worker reads a request a line from standard input, `{"workload": {..}, "steps": N, "variants": [..], "last": ..}`
(`variants` null: all; `last`: it isn't asked for this workload again), and answers each with a line on standard
output, `{"times": {variant: [milliseconds, ..]}, "answers": {..}}`, the answers in the first alone. What it says when it starts, before the first request, is `{"name": .., "version": ..}`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

VOCABULARY = 10_000
DENSE = 64
LEARNING_RATE = 1e-3
EPSILON = 1e-7
WARM_UP = 3


@dataclass(frozen=True)
class Workload:
    cell: str  # lstm, gru or rnn
    batch: int
    time: int
    input: int
    hidden: int
    ragged: bool  # lengths from T/4 to T, padded at the end; else all T
    train: bool  # a step of Adam, or the logits alone

    def ids(self):
        """Token ids as rows of Python lists, padded with 0; the formula of `gatefold bench`."""
        rows = []
        for row, length in enumerate(self.lengths()):
            first = row * self.time
            ids = [1 + i * 7919 % (VOCABULARY - 1) for i in range(first, first + length)]
            rows.append(ids + [0] * (self.time - length))
        return rows

    def lengths(self):
        if not self.ragged:
            return [self.time] * self.batch
        spread = max(3 * self.time // 4, 1)
        return [self.time - row * 37 % spread for row in range(self.batch)]

    def labels(self):
        return [float(row % 2) for row in range(self.batch)]

    def weights(self):
        """The same first weights for every library: PyTorch's names, shapes and order of gates.

        Keras and Gatefold give an LSTM and a simple RNN one bias, so that `bias_hh` is 0 there.
        """
        import numpy  # The runner has none.

        width = {"lstm": 4, "gru": 3, "rnn": 1}[self.cell] * self.hidden
        shapes = {
            "embedding.weight": (VOCABULARY, self.input),
            "recurrent.weight_ih_l0": (width, self.input),
            "recurrent.weight_hh_l0": (width, self.hidden),
            "recurrent.bias_ih_l0": (width,),
            "recurrent.bias_hh_l0": (width,),
            "dense.weight": (DENSE, self.hidden),
            "dense.bias": (DENSE,),
            "output.weight": (1, DENSE),
            "output.bias": (1,),
        }
        random, most = numpy.random.RandomState(42), self.hidden**-0.5
        weights = {
            name: random.uniform(-most, most, shape).astype("float32")
            for name, shape in shapes.items()
        }
        if self.cell != "gru":
            weights["recurrent.bias_hh_l0"][:] = 0
        return weights


@dataclass
class Variant:
    """A way to run a workload."""

    step: Callable  # one step; waits for its result
    logits: Callable  # the answers [B] as the weights are now
    masked: bool  # whether padding is left out


def threads():
    """How many threads the library may use."""
    return int(sys.argv[1])


def prepared(variants):
    """Warmed up, and the logits from before and after that. What a library can't do is left out, and said."""
    working, answers = {}, {}
    for name, variant in variants.items():
        try:
            before = variant.logits()
            for _ in range(WARM_UP):
                variant.step()
            logits = [[float(x) for x in logits] for logits in [before, variant.logits()]]
        except Exception as error:  # Whatever a library throws.
            print(f"left out: {name}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
            continue
        working[name] = variant
        answers[name] = {"masked": variant.masked, "logits": logits}
    return working, answers


def timed(step):
    """Milliseconds."""
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1e3


def serve(name, version, variants):
    """Answers requests. `variants(workload)` returns a dictionary from names to `Variant`s."""
    # Libraries print; only answers may reach the pipe.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        pipe.write(json.dumps(value) + "\n")
        pipe.flush()

    answer({"name": name, "version": version})
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload, chosen = Workload(**request["workload"]), request["variants"]
        answers = {}
        if workload not in ready:
            ready[workload], answers = prepared(variants(workload))
        times = {}
        for variant, way in ready[workload].items():
            if chosen is None or variant in chosen:
                times[variant] = [timed(way.step) for _ in range(request["steps"])]
        answer({"times": times, "answers": answers})
        if request["last"]:
            del ready[workload]
