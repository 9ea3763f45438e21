"""Writes values.json: PyTorch's LSTM, GRU and RNN, their outputs and gradients, for tests.

    pip install torch numpy && python generate.py

Shapes: x [B, T, I], weight_ih [G·H, I], weight_hh [G·H, H], biases [G·H], output [B, T, H],
states [B, H]. What PyTorch is given is drawn by `draw`, which check.rs knows too; of its results, in f64, a large
tensor's are values at drawn places, and the norms of the tensor's parts.
"""

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
# A tensor's number, for its seed; those of the outputs are for the loss's factors.
NAMES = ["x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "h_0", "c_0", "output", "h_n", "c_n"]
PLACES = len(NAMES)
# Values are multiples of 1/UNIT: exact in f32.
UNIT = 4096
# Up to so many values are written all; of more, so many at drawn places and the norms of so many parts.
WHOLE, SAMPLE, PARTS = 32, 24, 8
NOISES = 16


@dataclass
class Case:
    """One cell in one direction. The loss is the sum of the `loss` outputs times drawn factors."""

    cell: str
    reverse: bool
    seed: int
    time: int
    input: int
    hidden: int
    lengths: list[int]
    with_state: bool
    loss: list[str]
    # The largest weight and the largest other input, in 1/UNIT.
    weight_steps: int
    input_steps: int


def every_case():
    everything, final = ["output", "h_n", "c_n"], ["h_n", "c_n"]
    # Lengths, T, I, H, whether an initial state is given, the loss, the largest weight times √H and input.
    shapes = [
        ([5, 3, 1], 5, 4, 6, True, everything, 1.2, 1.0),
        # Saturates gates.
        ([16, 9, 2], 16, 4, 6, True, everything, 4.9, 2.0),
        ([1], 1, 1, 1, False, ["output"], 1.0, 1.0),
        (ragged(33, 7), 7, 5, 6, False, final, 1.2, 1.0),
        # A simple RNN amplifies here what is rounded.
        (ragged(2, 40), 40, 3, 32, True, ["output"], 2.7, 0.2),
        ([1] * 33, 1, 4, 129, True, everything, 1.5, 1.0),
        (ragged(5, 9), 9, 300, 32, False, everything, 1.5, 0.3),
        (ragged(33, 12), 12, 8, 129, False, ["h_n"], 1.5, 1.0),
        (ragged(4, 64), 64, 2, 6, True, everything, 1.2, 1.0),
        ([3] * 17, 3, 10, 129, True, final, 1.5, 1.0),
    ]
    numbers = itertools.count()
    for cell, reverse, shape in itertools.product(CELLS, [False, True], shapes):
        lengths, time, size, hidden, with_state, loss, weight, largest = shape
        yield Case(
            cell,
            reverse,
            16 * next(numbers),
            time,
            size,
            hidden,
            lengths,
            with_state,
            [name for name in loss if cell == "lstm" or name != "c_n"],
            round(UNIT * weight / hidden**0.5),
            round(UNIT * largest),
        )


def ragged(batch, time):
    """Lengths from 1 to `time`, in no order."""
    return [time - row * 5 % time for row in range(batch)]


def hashed(values):
    """32 bits of each of some."""
    values = values.astype(numpy.uint32)
    values = (values ^ values >> 16) * numpy.uint32(0x7FEB352D)
    values = (values ^ values >> 15) * numpy.uint32(0x846CA68B)
    return values ^ values >> 16


def drawn(seed, count):
    return hashed(hashed(numpy.array([seed])) + numpy.arange(count, dtype=numpy.uint32))


def draw(seed, shape, steps):
    """Multiples of 1/UNIT, at most `steps` of them from 0."""
    values = drawn(seed, numpy.prod(shape)) % (2 * steps + 1)
    return torch.tensor((values.astype(float) - steps) / UNIT).reshape(shape)


def run(case, dtype, noise=None):
    """Outputs and gradients; `noise`: a seed, to change every number given by half of what f32 can't tell apart."""
    batch, gates = len(case.lengths), {"lstm": 4, "gru": 3, "rnn": 1}[case.cell]
    layer = CELLS[case.cell](case.input, case.hidden, batch_first=True, bidirectional=True)
    layer = layer.to(dtype)
    width, state = gates * case.hidden, (batch, case.hidden)
    shapes = {
        "x": (batch, case.time, case.input),
        "weight_ih": (width, case.input),
        "weight_hh": (width, case.hidden),
        "bias_ih": (width,),
        "bias_hh": (width,),
    }
    states = ["h_0", "c_0"] if case.cell == "lstm" else ["h_0"]
    if case.with_state:
        shapes |= dict.fromkeys(states, state)
    inputs = {}
    for name, shape in shapes.items():
        steps = case.weight_steps if "weight" in name else case.input_steps
        value = draw(case.seed + NAMES.index(name), shape, steps).to(dtype)
        if noise is not None:
            seed = hashed(numpy.array([noise, case.seed + NAMES.index(name)])).sum()
            value = value * (1 + 2.0**-24 * draw(seed, shape, UNIT))
        if name in ["x", *states]:
            inputs[name] = value.requires_grad_()
        else:
            inputs[name] = getattr(layer, f"{name}_l0" + ("_reverse" if case.reverse else ""))
            inputs[name].data = value

    given = None
    if case.with_state:
        # [direction, batch, hidden], as PyTorch has its states; the other direction is not looked at.
        pairs = tuple(torch.stack([inputs[name]] * 2) for name in states)
        given = pairs if case.cell == "lstm" else pairs[0]
    packed = pack_padded_sequence(inputs["x"], case.lengths, True, enforce_sorted=False)
    output, last = layer(packed, given)
    output, _ = pad_packed_sequence(output, batch_first=True, total_length=case.time)
    outputs = {"output": output.chunk(2, dim=2)[case.reverse]}
    for name, both in zip(["h_n", "c_n"], last if case.cell == "lstm" else [last]):
        outputs[name] = both[int(case.reverse)]
    loss = sum(
        (outputs[name] * draw(case.seed + NAMES.index(name), outputs[name].shape, UNIT)).sum()
        for name in case.loss
    )
    gradients = torch.autograd.grad(loss, inputs.values())
    return outputs, dict(zip(inputs, gradients))


def recorded(tensors, seed):
    def short(values):
        return [float(f"{value:.9g}") for value in values.tolist()]

    records = {}
    for name, tensor in tensors.items():
        values, norms = tensor.detach().numpy().reshape(-1), []
        if values.size > WHOLE:
            size = -(-values.size // PARTS)
            parts = [values[start : start + size] for start in range(0, values.size, size)]
            norms = short(numpy.array([numpy.linalg.norm(part) for part in parts]))
        places = drawn(seed + PLACES, SAMPLE) % values.size if norms else slice(None)
        largest = float(f"{numpy.abs(values).max():.9g}")
        records[name] = {"largest": largest, "values": short(values[places]), "norms": norms}
    return records


def record(case):
    outputs, gradients = run(case, torch.float64)
    # Some cases amplify rounding: how far PyTorch itself is off in 32 bits, or where what it is given is rounded.
    runs = [run(case, torch.float32)] + [run(case, torch.float64, noise) for noise in range(NOISES)]
    errors = [
        (rounded - exact).abs().max().item() / max(exact.abs().max().item(), 1e-300)
        for found in runs
        for exacts, roundeds in zip([outputs, gradients], found)
        for exact, rounded in zip(exacts.values(), roundeds.values())
    ]
    return asdict(case) | {
        "f32_error": float(f"{max(errors):.2g}"),
        "outputs": recorded(outputs, case.seed),
        "gradients": recorded(gradients, case.seed),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(record(case), separators=(",", ":")) for case in every_case())
    version, script = torch.__version__.split("+")[0], "crates/kernels/tests/pytorch/generate.py"
    header = f'"torch": "{version}", "script": "{script}"'
    path = Path(__file__).with_name("values.json")
    path.write_text(f'{{{header}, "cases": [\n{lines}\n]}}\n')
