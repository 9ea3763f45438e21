"""Writes values.json: PyTorch's LSTM, GRU and RNN, their outputs and gradients, for tests.

    pip install torch numpy && python generate.py

Shapes: x [B, T, I], weight_ih [G·H, I], weight_hh [G·H, H], biases [G·H], output [B, T, H],
states [B, H]. All numbers given to PyTorch are multiples of 1/64: short, and exact in f32.
"""

import json
from pathlib import Path

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

BATCH, TIME, INPUT, HIDDEN = 3, 5, 4, 6
LENGTHS = [5, 3, 1]
CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
# The largest weight and the largest other input; the second pair saturates gates.
RANGES = [(0.5, 1.0), (2.0, 2.0)]


def draw(shape, largest):
    steps = int(64 * largest)
    return torch.randint(-steps, steps + 1, shape).double() / 64


def recorded(tensors):
    return {
        name: {
            "shape": list(tensor.shape),
            "values": [float(f"{value:.9g}") for value in tensor.flatten().tolist()],
        }
        for name, tensor in tensors.items()
    }


def cases(cell, weight_range, input_range):
    """A bidirectional layer, as one case a direction: each has a loss of its own."""
    layer = CELLS[cell](INPUT, HIDDEN, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(draw(parameter.shape, weight_range))
    x = draw((BATCH, TIME, INPUT), input_range).requires_grad_()
    names = ["h", "c"] if cell == "lstm" else ["h"]
    # [direction, batch, hidden], as PyTorch has its states.
    states = [draw((2, BATCH, HIDDEN), input_range).requires_grad_() for _ in names]
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    output, last = layer(packed, tuple(states) if cell == "lstm" else states[0])
    output, _ = pad_packed_sequence(output, batch_first=True, total_length=TIME)
    last = last if cell == "lstm" else [last]

    for direction, suffix in enumerate(["", "_reverse"]):
        parameters = {
            name: getattr(layer, f"{name}_l0{suffix}")
            for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        }
        outputs = {"output": output.chunk(2, dim=2)[direction]}
        outputs |= {f"{name}_n": state[direction] for name, state in zip(names, last)}
        loss_weights = {name: draw(value.shape, 1.0) for name, value in outputs.items()}
        loss = sum((value * loss_weights[name]).sum() for name, value in outputs.items())
        gradients = torch.autograd.grad(
            loss, [x, *parameters.values(), *states], retain_graph=True
        )
        gradients = dict(zip(["x", *parameters, *(f"{name}_0" for name in names)], gradients))
        inputs = {"x": x, **parameters}
        for name, state in zip(names, states):
            inputs[f"{name}_0"] = state[direction]
            gradients[f"{name}_0"] = gradients[f"{name}_0"][direction]
        yield {
            "cell": cell,
            "reverse": bool(direction),
            "weight_range": weight_range,
            "lengths": LENGTHS,
            "inputs": recorded(inputs),
            "outputs": recorded(outputs),
            "loss_weights": recorded(loss_weights),
            "gradients": recorded(gradients),
        }


torch.manual_seed(1)
every_case = [case for cell in CELLS for ranges in RANGES for case in cases(cell, *ranges)]
lines = ",\n".join(json.dumps(case) for case in every_case)
version, script = torch.__version__.split("+")[0], "crates/kernels/tests/pytorch/generate.py"
header = f'"torch": "{version}", "script": "{script}"'
path = Path(__file__).with_name("values.json")
path.write_text(f'{{{header}, "cases": [\n{lines}\n]}}\n')
