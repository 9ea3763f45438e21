"""What is measured, and the loop of a worker: a process that holds one library and runs steps when told.

A worker reads a request a line from standard input, `{"workload": {..}, "steps": N}`, and answers each
with a line `{variant: [milliseconds, ..], ..}` on standard output. What it says when it starts, before
the first request, is `{"name": .., "version": .., "threads": ..}`.
"""

import json
import os
import sys
import time
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


def serve(name, version, threads, variants):
    """Answers requests. `variants(workload)` returns a dictionary from names to functions that run one
    step and wait for its result."""
    # Libraries print; only answers may reach the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer({"name": name, "version": version, "threads": threads})
    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = Workload(**request["workload"])
        if workload not in prepared:
            prepared[workload] = variants(workload)
            for step in prepared[workload].values():
                for _ in range(WARM_UP):
                    step()
        times = {}
        for variant, step in prepared[workload].items():
            times[variant] = []
            for _ in range(request["steps"]):
                start = time.perf_counter()
                step()
                times[variant].append((time.perf_counter() - start) * 1e3)
        answer(times)
        if request["last"]:
            del prepared[workload]
