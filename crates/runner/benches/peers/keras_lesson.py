"""Trains the lesson's network with Keras on `imdb.npz`: `keras_lesson.py FOLDER`; prints a line of JSON.

The words, the cut, the validation part and the epoch that is tested (the lowest validation loss) are
Gatefold's.
"""

import json
import sys
import time
from pathlib import Path

import numpy

from keras_worker import VOCABULARY, compiled, keras, network

MAX_LENGTH = 256
START, UNKNOWN, FIRST_WORD = 1, 2, 3


def encode(reviews):
    """Ranks from 1 to padded ids, the last tokens kept."""
    rows = numpy.zeros((len(reviews), MAX_LENGTH), dtype="int32")
    for row, ranks in zip(rows, reviews):
        ids = numpy.array([START, *(rank + FIRST_WORD - 1 for rank in ranks)])
        ids[1:][ids[1:] >= VOCABULARY] = UNKNOWN
        ids = ids[-MAX_LENGTH:]
        row[: len(ids)] = ids
    return rows


def main(folder):
    keras.utils.set_random_seed(42)
    data = numpy.load(Path(folder) / "imdb.npz", allow_pickle=True)
    order = numpy.random.RandomState(42).permutation(len(data["y_train"]))
    x_train, y_train = encode(data["x_train"][order]), data["y_train"][order].astype("float32")
    x_test, y_test = encode(data["x_test"]), data["y_test"].astype("float32")
    model = compiled(
        network("lstm", 16, 64, mask=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    best = keras.callbacks.EarlyStopping(
        "val_loss", patience=5, restore_best_weights=True
    )
    start = time.perf_counter()
    history = model.fit(
        x_train, y_train, batch_size=128, epochs=5, validation_split=0.2, callbacks=[best], verbose=0
    )
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(x_test, y_test, batch_size=128, verbose=0)
    validation = [round(value, 4) for value in history.history["val_binary_accuracy"]]
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, "validation": validation}))


if __name__ == "__main__":
    main(sys.argv[1])
