"""The small networks of these checks: built, saved and run by PyTorch and by Keras themselves."""

import os
from dataclasses import dataclass

import numpy as np

# Keras's backend prints about its build and the processor otherwise.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# No two of them are equal, so that a transposed tensor is never one of the right shape.
WORDS, WIDTH, UNITS, DENSE, LENGTH = 12, 3, 4, 5, 6
WORD_LIST = ["<pad>", "<unk>", "the", "film", "was", "a", "good", "bad", "plot", "not", "and", "so"]


@dataclass(frozen=True)
class Network:
    cell: str  # "lstm", "gru" or "rnn"
    layers: int = 1
    directions: int = 1
    outputs: int = 1
    dense: bool = True
    # None: it skips the padding. "pre" or "post": it reads it, on that side of the words.
    padding: str | None = None
    seed: int = 0


def rows(seed=0, count=5):
    """Rows of ids with zeros behind them, and their lengths: first 1, then the most, then what comes."""
    random = np.random.default_rng(seed)
    lengths = np.concatenate([[1, LENGTH], random.integers(1, LENGTH, count - 2, endpoint=True)]).astype(np.int32)
    ids = random.integers(1, WORDS, (count, LENGTH)).astype(np.int32)
    return ids * (np.arange(LENGTH) < lengths[:, None]), lengths


def as_read(network, ids, lengths):
    """Rows as the network reads them: one that doesn't skip its padding has full rows, some of it padding."""
    if network.padding is None:
        return ids, lengths
    if network.padding == "pre":
        ids = np.stack([np.roll(row, len(row) - length) for row, length in zip(ids, lengths)])
    return ids, np.full_like(lengths, ids.shape[1])


def save_probe(path, ids, lengths, logits):
    """What `gatefold import --verify` reads: rows with zeros behind, and what the framework made of them."""
    np.savez(path, ids=ids, lengths=lengths, logits=logits.astype(np.float32))


def torch_module(network):
    """A module as people write it. Its parameters are PyTorch's own random ones, biases too."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(WORDS, WIDTH)
            kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[network.cell]
            self.rnn = kind(WIDTH, UNITS, network.layers, batch_first=True, bidirectional=network.directions == 2)
            if network.dense:
                self.dense = nn.Linear(UNITS * network.directions, DENSE)
            self.output = nn.Linear(DENSE if network.dense else UNITS * network.directions, network.outputs)

        def forward(self, ids, lengths):
            words = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
            _, states = self.rnn(words)
            if network.cell == "lstm":
                states = states[0]
            features = torch.cat(list(states[-network.directions :]), 1)
            if network.dense:
                features = torch.relu(self.dense(features))
            return self.output(features)

    torch.manual_seed(network.seed)
    return Classifier()


def torch_logits(module, network, ids, lengths):
    import torch

    ids, lengths = as_read(network, ids, lengths)
    with torch.no_grad():
        return module(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()


def keras_layers(network, **cell_options):
    from keras import layers

    kind = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}[network.cell]
    yield layers.Embedding(WORDS, WIDTH, mask_zero=network.padding is None)
    for depth in range(network.layers):
        layer = kind(UNITS, return_sequences=depth + 1 < network.layers, **cell_options)
        yield layers.Bidirectional(layer) if network.directions == 2 else layer
    if network.dense:
        yield layers.Dense(DENSE, activation="relu")
    yield layers.Dense(network.outputs, activation="sigmoid" if network.outputs == 1 else "softmax")


def keras_model(network, functional=False, policy="float32", **cell_options):
    import keras

    # Names count on from those of the last model otherwise. It sets the policy back, too.
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    begin = keras.Input((None if network.padding is None else LENGTH,))
    if functional:
        end = begin
        for layer in keras_layers(network, **cell_options):
            end = layer(end)
        model = keras.Model(begin, end)
    else:
        model = keras.Sequential([begin, *keras_layers(network, **cell_options)])
    # Keras's own first biases are 0 and 1, which would hide mistakes.
    random = np.random.default_rng(network.seed)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def keras_logits(model, network, ids, lengths):
    """What the last layer makes before its sigmoid or softmax."""
    from keras import activations

    last = model.layers[-1]
    activation, last.activation = last.activation, activations.linear
    logits = np.array(model(as_read(network, ids, lengths)[0]))
    last.activation = activation
    return logits
