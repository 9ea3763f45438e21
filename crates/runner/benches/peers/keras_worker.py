"""The lesson's network in Keras on TensorFlow: with and without a mask, compiled by XLA and not."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy
import tensorflow

from workloads import DENSE, EPSILON, LEARNING_RATE, VOCABULARY, serve

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


def network(cell, embedding, hidden, mask):
    return keras.Sequential(
        [
            keras.layers.Embedding(VOCABULARY, embedding, mask_zero=mask),
            LAYERS[cell](hidden),
            keras.layers.Dense(DENSE, activation="relu"),
            keras.layers.Dense(1),
        ]
    )


def compiled(model, **options):
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        **options,
    )
    return model


def variants(workload):
    ids = numpy.array(workload.ids(), dtype="int32")
    labels = numpy.array(workload.labels(), dtype="float32").reshape(-1, 1)
    steps = {}
    for mask in [False, True]:
        for xla in [False, True]:
            model = compiled(
                network(workload.cell, workload.input, workload.hidden, mask), jit_compile=xla
            )
            name = ("mask" if mask else "no mask") + (", XLA" if xla else "")
            if workload.train:
                steps[name] = lambda model=model: model.train_on_batch(ids, labels)
            else:
                call = tensorflow.function(
                    lambda ids, model=model: model(ids, training=False), jit_compile=xla
                )
                tokens = tensorflow.constant(ids)
                steps[name] = lambda call=call, tokens=tokens: call(tokens).numpy()
    # A combination that this version can't compile is left out, and said.
    working = {}
    for name, step in steps.items():
        try:
            step()
            working[name] = step
        except Exception as error:  # noqa: BLE001: whatever a library throws
            print(f"Keras, {name}: {type(error).__name__}: {error}"[:300])
    return working


if __name__ == "__main__":
    serve("Keras", f"{keras.__version__} on TensorFlow {tensorflow.__version__}", "default", variants)
