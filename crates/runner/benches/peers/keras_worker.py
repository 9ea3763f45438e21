"""The lesson's network in Keras on TensorFlow: with and without a mask, compiled by XLA and not."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy
import tensorflow

from workloads import DENSE, EPSILON, LEARNING_RATE, VOCABULARY, Variant, serve, threads

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


def weights(workload):
    """In Keras's order and shapes; the gates of its GRU are update, reset, candidate."""
    given = workload.weights()

    def recurrent(name):
        value = given[f"recurrent.{name}_l0"]
        if workload.cell != "gru":
            return value
        reset, update, candidate = numpy.split(value, 3)
        return numpy.concatenate([update, reset, candidate])

    bias = recurrent("bias_ih")
    if workload.cell == "gru":
        bias = numpy.stack([bias, recurrent("bias_hh")])
    return [
        given["embedding.weight"],
        recurrent("weight_ih").T,
        recurrent("weight_hh").T,
        bias,
        *(
            given[f"{layer}.{name}"].T
            for layer in ["dense", "output"]
            for name in ["weight", "bias"]
        ),
    ]


def variants(workload):
    ids = numpy.array(workload.ids(), dtype="int32")
    labels = numpy.array(workload.labels(), dtype="float32").reshape(-1, 1)
    tokens = tensorflow.constant(ids)
    found = {}
    for mask in [False, True]:
        for xla in [False, True]:
            model = compiled(
                network(workload.cell, workload.input, workload.hidden, mask), jit_compile=xla
            )
            model.build(ids.shape)
            model.set_weights(weights(workload))
            call = tensorflow.function(
                lambda ids, model=model: model(ids, training=False), jit_compile=xla
            )

            def logits(call=call):
                return call(tokens).numpy()[:, 0]

            def train(model=model):
                return model.train_on_batch(ids, labels)

            name = ("mask" if mask else "no mask") + (", XLA" if xla else "")
            found[name] = Variant(train if workload.train else logits, logits, mask)
    return found


if __name__ == "__main__":
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads())
    version = f"{keras.__version__} on TensorFlow {tensorflow.__version__}"
    serve("Keras", version, variants)
