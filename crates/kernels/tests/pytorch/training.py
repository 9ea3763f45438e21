"""Writes training.json: ten steps of Adam on the lesson's network in PyTorch, in f64, for tests.

    pip install torch numpy && python training.py

A cell each: first weights, and of each step the batch and its loss, then the weights after all steps. Weights have
Gatefold's names and shapes, [in, out]; the gates' order is PyTorch's.
"""

import json
from pathlib import Path

import torch
from torch.nn.utils.rnn import pack_padded_sequence

CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
# Less than the tokens of a batch, and more: projections a word and a token.
VOCABULARIES = {"lstm": 30, "gru": 50, "rnn": 30}
EMBEDDING, HIDDEN, DENSE, BATCH, TIME, STEPS = 5, 7, 6, 4, 9, 10
LEARNING_RATE, EPSILON = 1e-2, 1e-7


class Network(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARIES[cell], EMBEDDING)
        self.recurrent = CELLS[cell](EMBEDDING, HIDDEN, batch_first=True)
        self.dense = torch.nn.Linear(HIDDEN, DENSE)
        self.output = torch.nn.Linear(DENSE, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                # Multiples of 1/64: short, and exact in f32.
                parameter.copy_(torch.randint(-32, 33, parameter.shape) / 64)
            if cell != "gru":
                # Gatefold has one bias there.
                self.recurrent.bias_hh_l0.zero_().requires_grad_(False)

    def forward(self, ids, lengths):
        vectors = self.embedding(ids)
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.recurrent(packed)
        last = state[0] if isinstance(state, tuple) else state
        return self.output(torch.relu(self.dense(last[0]))).squeeze(1)

    def recorded(self):
        tensors = {
            "embedding.weight": self.embedding.weight,
            "recurrent.0.forward.input_weight": self.recurrent.weight_ih_l0.T,
            "recurrent.0.forward.recurrent_weight": self.recurrent.weight_hh_l0.T,
            "recurrent.0.forward.bias": self.recurrent.bias_ih_l0,
            "dense.weight": self.dense.weight.T,
            "dense.bias": self.dense.bias,
            "output.weight": self.output.weight.T,
            "output.bias": self.output.bias,
        }
        if self.recurrent.bias_hh_l0.requires_grad:
            tensors["recurrent.0.forward.recurrent_bias"] = self.recurrent.bias_hh_l0
        return {
            name: {
                "shape": list(tensor.shape),
                "values": [float(f"{value:.9g}") for value in tensor.flatten().tolist()],
            }
            for name, tensor in tensors.items()
        }


def training(cell):
    network = Network(cell).double()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, eps=EPSILON)
    first, steps = network.recorded(), []
    for _ in range(STEPS):
        ids = torch.randint(1, VOCABULARIES[cell], (BATCH, TIME))
        lengths = torch.randint(1, TIME + 1, (BATCH,))
        classes = torch.randint(0, 2, (BATCH,))
        optimizer.zero_grad()
        logits = network(ids, lengths)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, classes.double())
        loss.backward()
        optimizer.step()
        steps.append(
            {
                "ids": ids.flatten().tolist(),
                "lengths": lengths.tolist(),
                "classes": classes.tolist(),
                "loss": float(f"{loss.item():.9g}"),
            }
        )
    return {
        "cell": cell,
        "vocabulary_size": VOCABULARIES[cell],
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "dense_size": DENSE,
        "time": TIME,
        "learning_rate": LEARNING_RATE,
        "first": first,
        "steps": steps,
        "final": network.recorded(),
    }


if __name__ == "__main__":
    torch.manual_seed(1)
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(training(cell), separators=(",", ":")) for cell in CELLS)
    version, script = torch.__version__.split("+")[0], "crates/kernels/tests/pytorch/training.py"
    header = f'"torch": "{version}", "script": "{script}"'
    path = Path(__file__).with_name("training.json")
    path.write_text(f'{{{header}, "trainings": [\n{lines}\n]}}\n')
