"""The lesson's network in PyTorch: padded and packed sequences."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from workloads import DENSE, EPSILON, LEARNING_RATE, VOCABULARY, serve

LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class Network(torch.nn.Module):
    def __init__(self, cell, embedding, hidden):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, embedding)
        self.recurrent = LAYERS[cell](embedding, hidden, batch_first=True)
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
    steps = {}
    for name, given in [("padded", None), ("packed", lengths)]:
        model = Network(workload.cell, workload.input, workload.hidden)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=LEARNING_RATE, eps=EPSILON, fused=True
        )

        def train(model=model, optimizer=optimizer, given=given):
            optimizer.zero_grad(set_to_none=True)
            logits = model(ids, given)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        def answer(model=model, given=given):
            with torch.inference_mode():
                return model(ids, given).numpy()

        steps[name] = train if workload.train else answer
    return steps


if __name__ == "__main__":
    serve("PyTorch", torch.__version__, torch.get_num_threads(), variants)
