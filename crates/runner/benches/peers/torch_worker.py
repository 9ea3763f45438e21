"""The lesson's network in PyTorch: padded and packed sequences."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from workloads import DENSE, EPSILON, LEARNING_RATE, VOCABULARY, Variant, serve, threads

LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class Network(torch.nn.Module):
    def __init__(self, cell, embedding, hidden):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, embedding)
        self.recurrent = LAYERS[cell](embedding, hidden, batch_first=True)
        # A second bias of the same gates: Adam would move them twice as far as with one.
        self.recurrent.bias_hh_l0.requires_grad_(cell == "gru")
        self.dense = torch.nn.Linear(hidden, DENSE)
        self.output = torch.nn.Linear(DENSE, 1)

    def forward(self, ids, lengths):
        """`lengths`: packs the sequences; None reads the padding too."""
        sequence = self.embedding(ids)
        if lengths is not None:
            sequence = pack_padded_sequence(
                sequence, lengths, batch_first=True, enforce_sorted=False
            )
        _, state = self.recurrent(sequence)
        last = state[0] if isinstance(state, tuple) else state
        return self.output(torch.relu(self.dense(last[0]))).squeeze(1)


def variants(workload):
    ids = torch.tensor(workload.ids())
    labels = torch.tensor(workload.labels())
    lengths = torch.tensor(workload.lengths())
    weights = {name: torch.from_numpy(value) for name, value in workload.weights().items()}
    found = {}
    for name, given in [("padded", None), ("packed", lengths)]:
        model = Network(workload.cell, workload.input, workload.hidden)
        model.load_state_dict(weights)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, eps=EPSILON, fused=True)

        def train(model=model, optimizer=optimizer, given=given):
            optimizer.zero_grad(set_to_none=True)
            logits = model(ids, given)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        def logits(model=model, given=given):
            with torch.inference_mode():
                return model(ids, given).numpy()

        found[name] = Variant(train if workload.train else logits, logits, given is not None)
    return found


if __name__ == "__main__":
    torch.set_num_threads(threads())
    serve("PyTorch", torch.__version__, variants)
