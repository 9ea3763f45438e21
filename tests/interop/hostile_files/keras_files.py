"""What Keras itself writes: good files of every kind that should be read, and networks that can't be."""

import io
import json
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from networks import DENSE, LENGTH, UNITS, WIDTH, WORDS, Network, keras_logits, keras_model, rows, save_probe

from .hdf5_files import arrays
from .pickle_writer import zipped


def write(cases):
    network = Network("lstm", seed=21)
    good_files(cases, network)
    model = keras_model(network)
    other_networks(cases)
    archives(cases, model)
    configs(cases, model)


def good_files(cases, network):
    def good(name, what, model, network=network, kind=cases.good, **options):
        path = kind(name, what, **options)
        (model.save_weights if name.endswith(".weights.h5") else model.save)(path)
        ids, lengths = rows(network.seed)
        save_probe(path.with_name(f"{name}.npz"), ids, lengths, keras_logits(model, network, ids, lengths))

    for suffix in ("keras", "h5", "weights.h5"):
        good(f"keras-lstm.{suffix}", f"a masked LSTM as .{suffix}", keras_model(network), cut=True)
    gru = replace(network, cell="gru", layers=2, directions=2, outputs=5)
    for suffix in ("keras", "h5", "weights.h5"):
        good(f"keras-gru.{suffix}", f"two masked GRUs in both directions as .{suffix}", keras_model(gru), gru)
        good(
            f"keras-functional-gru.{suffix}",
            f"the same, functional, as .{suffix}",
            keras_model(gru, functional=True),
            gru,
        )
    for padding in ("pre", "post"):
        unmasked = replace(network, padding=padding)
        arguments = ["--padding", padding, "--max-length", str(LENGTH)]
        good(
            f"keras-padding-{padding}.keras",
            "an LSTM without mask",
            keras_model(unmasked),
            unmasked,
            arguments=arguments,
        )

    trained = keras_model(network)
    trained.compile("adam", "binary_crossentropy")
    trained.train_on_batch(rows()[0], np.zeros((5, 1)))
    good("keras-trained.keras", "a model after a step of Adam, whose moments are in the file", trained)
    good("keras-trained.h5", "the same as .h5", trained)

    def sequential(name, what, *middle, last=None, first=None, kind=cases.good):
        keras.utils.clear_session()
        good(name, what, built(first or masked(), *middle, last or layers.Dense(1, activation="sigmoid")), kind=kind)

    sequential("keras-gru-no-bias.keras", "a GRU with use_bias=False", layers.GRU(UNITS, use_bias=False))
    sequential("keras-lstm-no-bias.weights.h5", "an LSTM with use_bias=False", layers.LSTM(UNITS, use_bias=False))
    sequential(
        "keras-dropout.keras",
        "dropout of every kind",
        layers.SpatialDropout1D(0.2),
        layers.LSTM(UNITS, dropout=0.2, recurrent_dropout=0.2),
        layers.Dropout(0.5),
    )
    sequential(
        "keras-unrolled.keras",
        "unroll=True",
        layers.LSTM(UNITS, unroll=True),
        first=[keras.Input((LENGTH,)), layers.Embedding(WORDS, WIDTH, mask_zero=True)],
    )
    sequential(
        "keras-logits.keras",
        "a last layer without activation: logits",
        layers.LSTM(UNITS),
        last=layers.Dense(1),
        kind=cases.either,
    )
    sequential(
        "keras-named.keras",
        "layers with names of their own",
        layers.LSTM(UNITS, name="my-lstm"),
        layers.Dense(DENSE, activation="relu", name="größe 1"),
    )
    sequential(
        "keras-activation-layers.keras",
        "activations as layers of their own",
        layers.LSTM(UNITS),
        layers.Dense(DENSE),
        layers.ReLU(),
        kind=cases.either,
    )
    for policy in ("float16", "bfloat16", "float64", "mixed_float16"):
        # TensorFlow has no orthogonal matrices of bfloat16 to begin with.
        half = keras_model(network, policy=policy, recurrent_initializer="zeros")
        values = [np.array(weight).astype(np.float32) for weight in half.get_weights()]
        # In HDF5 a bfloat16 is two opaque bytes, and an attribute says what they are.
        kind = cases.either if policy == "bfloat16" else cases.good
        paths = [
            kind(f"keras-{policy}.{suffix}", f"weights of the policy {policy}") for suffix in ("keras", "weights.h5")
        ]
        half.save(paths[0])
        half.save_weights(paths[1])
        # Computed in f32: what the rounded weights are worth, not what half the precision makes of them.
        whole = keras_model(network)
        whole.set_weights(values)
        ids, lengths = rows(network.seed)
        for path in paths:
            save_probe(path.with_name(f"{path.name}.npz"), ids, lengths, keras_logits(whole, network, ids, lengths))
    # Keras 3 itself refuses Keras 2's own files for their `time_major`, so it gets their weights by hand.
    old = keras_model(network)
    old.set_weights(list(arrays().values()))
    ids, lengths = rows(network.seed)
    for version in ("2.4", "2.13"):
        path = cases.folder / "good" / f"keras-{version}.h5.npz"
        save_probe(path, ids, lengths, keras_logits(old, network, ids, lengths))
    nested = keras.Sequential(
        [keras.Input((None,)), keras_model(replace(network, dense=False)), layers.Dense(1, activation="sigmoid")]
    )
    nested.save(cases.hostile("keras-nested.keras", "a model inside a model"))


def masked():
    return [keras.Input((None,)), layers.Embedding(WORDS, WIDTH, mask_zero=True)]


def built(first, *rest):
    """A Sequential of random weights."""
    model = keras.Sequential([*first, *rest])
    random = np.random.default_rng(5)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def other_networks(cases):
    def hostile(name, what, *middle, last=None, first=None, kind=cases.hostile, suffix="keras"):
        keras.utils.clear_session()
        model = built(first or masked(), *middle, last or layers.Dense(1, activation="sigmoid"))
        model.save(kind(f"keras-{name}.{suffix}", what))

    cell = lambda **options: layers.LSTM(UNITS, **options)
    gru = lambda **options: layers.GRU(UNITS, **options)
    for suffix in ("keras", "h5"):
        hostile(
            "hard-sigmoid",
            "recurrent_activation hard_sigmoid",
            cell(recurrent_activation="hard_sigmoid"),
            suffix=suffix,
        )
        hostile("reset-before", "a GRU with reset_after=False", gru(reset_after=False), suffix=suffix)
    hostile("relu-cell", "an LSTM with ReLU", cell(activation="relu"))
    hostile("relu-rnn", "a SimpleRNN with ReLU", layers.SimpleRNN(UNITS, activation="relu"))
    hostile("backwards", "go_backwards", cell(go_backwards=True))
    hostile("sum", "both directions, added", layers.Bidirectional(cell(), merge_mode="sum"))
    hostile(
        "two-different-directions",
        "a backward layer of its own, of other units",
        layers.Bidirectional(cell(), backward_layer=layers.LSTM(UNITS + 1, go_backwards=True)),
    )
    hostile(
        "sequences",
        "the last layer returns sequences, then their maximum",
        cell(return_sequences=True),
        layers.GlobalMaxPooling1D(),
    )
    hostile("average", "the average of the sequence", cell(return_sequences=True), layers.GlobalAveragePooling1D())
    hostile(
        "flatten",
        "the whole sequence, flattened",
        cell(return_sequences=True),
        layers.Flatten(),
        first=[keras.Input((LENGTH,)), layers.Embedding(WORDS, WIDTH)],
    )
    hostile(
        "stateful",
        "a stateful LSTM",
        cell(stateful=True),
        first=[keras.Input(batch_shape=(2, None)), layers.Embedding(WORDS, WIDTH, mask_zero=True)],
    )
    hostile(
        "masking",
        "a Masking layer behind the embedding",
        layers.Masking(),
        cell(),
        kind=cases.either,
        first=[keras.Input((LENGTH,)), layers.Embedding(WORDS, WIDTH)],
    )
    hostile("lambda", "a Lambda layer, which is code", layers.Lambda(lambda x: x * 1.0), cell())
    hostile("convolution", "a convolution", layers.Conv1D(3, 2, padding="same"), cell())
    hostile("layer-norm", "a LayerNormalization", cell(), layers.LayerNormalization())
    hostile("batch-norm", "a BatchNormalization", cell(), layers.BatchNormalization())
    hostile("mixed-cells", "an LSTM and a GRU", cell(return_sequences=True), gru())
    hostile("mixed-units", "two LSTMs of different sizes", layers.LSTM(UNITS + 3, return_sequences=True), cell())
    hostile(
        "mixed-directions",
        "one LSTM in both directions, then one in one",
        layers.Bidirectional(cell(return_sequences=True)),
        cell(),
    )
    hostile("tanh-dense", "a dense layer with tanh", cell(), layers.Dense(DENSE, activation="tanh"))
    hostile(
        "three-dense",
        "three dense layers",
        cell(),
        layers.Dense(DENSE, activation="relu"),
        layers.Dense(DENSE, activation="relu"),
    )
    hostile("softmax-of-one", "softmax of one output", cell(), last=layers.Dense(1, activation="softmax"))
    hostile(
        "sigmoid-of-three",
        "sigmoid of three outputs: labels that don't exclude each other",
        cell(),
        last=layers.Dense(3, activation="sigmoid"),
        kind=cases.either,
    )
    hostile("no-recurrence", "no recurrent layer", layers.GlobalAveragePooling1D())
    hostile("no-output", "no dense layer", last=cell())
    hostile("no-embedding", "no embedding", cell(), first=[keras.Input((LENGTH, WIDTH))])
    hostile(
        "words-of-another",
        "13 rows, the words are 12",
        cell(),
        first=[keras.Input((None,)), layers.Embedding(WORDS + 1, WIDTH, mask_zero=True)],
    )
    hostile(
        "lora",
        "an embedding with LoRA",
        cell(),
        first=[keras.Input((None,)), layers.Embedding(WORDS, WIDTH, mask_zero=True, lora_rank=2)],
    )
    hostile(
        "peephole",
        "an RNN of a StackedRNNCells",
        layers.RNN(layers.StackedRNNCells([layers.LSTMCell(UNITS), layers.LSTMCell(UNITS)])),
    )
    hostile(
        "name-with-escapes",
        "a layer whose name moves the terminal's cursor",
        cell(name="\x1b[2J\x07\r\n\u202eevil"),
        layers.Dense(DENSE, activation="tanh"),
    )

    begin = keras.Input((None,))
    one, two = (layers.Embedding(WORDS, WIDTH, mask_zero=True)(begin) for _ in range(2))
    end = layers.Dense(1, activation="sigmoid")(cell()(layers.Concatenate()([one, two])))
    keras.Model(begin, end).save(cases.hostile("keras-two-embeddings.keras", "two embeddings, side by side"))
    words = layers.Embedding(WORDS, WIDTH, mask_zero=True)(begin)
    end = layers.Dense(1, activation="sigmoid")(layers.Concatenate()([cell()(words), gru()(words)]))
    keras.Model(begin, end).save(cases.hostile("keras-branches.keras", "an LSTM and a GRU side by side"))
    shared = layers.LSTM(WIDTH, return_sequences=True)
    end = layers.Dense(1, activation="sigmoid")(cell()(shared(shared(words))))
    keras.Model(begin, end).save(cases.hostile("keras-shared.keras", "one layer used twice"))
    ends = [layers.Dense(1, activation="sigmoid", name=name)(cell()(words)) for name in "ab"]
    keras.Model(begin, ends).save(cases.hostile("keras-two-outputs.keras", "two outputs"))

    try:
        vectorise = layers.TextVectorization(
            max_tokens=WORDS, output_sequence_length=LENGTH, vocabulary=["good", "bad"]
        )
        hostile(
            "text-vectorization",
            "a TextVectorization layer",
            cell(),
            first=[keras.Input((1,), dtype="string"), vectorise, layers.Embedding(WORDS, WIDTH)],
        )
    except ImportError as error:
        cases.skip("keras-text-vectorization.keras", str(error))


def entries(model):
    """The files inside a `.keras`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def archives(cases, model):
    parts = entries(model)

    def hostile(name, what, change, kind=cases.hostile, **options):
        kind(f"keras-{name}.keras", what).write_bytes(
            zipped({name: data for name, data in (parts | change).items() if data is not None}, **options)
        )

    hostile("no-weights", "no weights in the archive", {"model.weights.h5": None})
    hostile("no-config", "no config.json in the archive", {"config.json": None})
    hostile("no-metadata", "no metadata.json in the archive", {"metadata.json": None}, cases.either)
    npz = io.BytesIO()
    np.savez(npz, **{"layers/embedding": model.get_weights()[0]})
    hostile("npz", "model.weights.npz in the archive", {"model.weights.h5": None, "model.weights.npz": npz.getvalue()})
    hostile(
        "sharded",
        "weights in several files",
        {"model.weights.h5": None, "model.weights.json": b'{"metadata": {}, "weight_map": {}}'},
    )
    hostile("weights-empty", "empty weights", {"model.weights.h5": b""})
    hostile("weights-text", "weights that are a text", {"model.weights.h5": b"hello"})
    hostile("weights-cut", "weights of which half is there", {"model.weights.h5": parts["model.weights.h5"][:8000]})
    hostile("deflated", "a good file, but deflated", {}, cases.either, compression=zipfile.ZIP_DEFLATED)
    hostile(
        "weights-bomb",
        "weights of 1 GiB of zeros, deflated",
        {"model.weights.h5": bytes(1 << 30)},
        compression=zipfile.ZIP_DEFLATED,
    )
    hostile(
        "config-bomb",
        "a config.json of 1 GiB of spaces, deflated",
        {"config.json": b" " * (1 << 30)},
        compression=zipfile.ZIP_DEFLATED,
    )
    hostile("config-50-mb", "a config.json of 50 MB", {"config.json": parts["config.json"] + b" " * (50 << 20)})
    hostile("assets", "an assets folder with a program", {"assets/run.sh": b"#!/bin/sh\n"}, cases.either)
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    hostile(
        "2.13",
        "the weights below _layer_checkpoint_dependencies, as Keras 2.13 wrote",
        {"model.weights.h5": weights.getvalue()},
        cases.either,
    )


def configs(cases, model):
    parts = entries(model)
    config = json.loads(parts["config.json"])

    def raw(name, what, data):
        path = cases.hostile(f"keras-config-{name}.keras", what)
        path.write_bytes(zipped(parts | {"config.json": data}))

    def hostile(name, what, change):
        changed = json.loads(parts["config.json"])
        change(changed["config"]["layers"])
        raw(name, what, json.dumps(changed).encode())

    raw("empty", "an empty config.json", b"")
    raw("no-json", "a config.json that is no JSON", b"hello")
    raw("list", "a config.json that is a list", b"[]")
    raw("not-utf8", "a config.json that is no UTF-8", b'{"\xff": 1}')
    for levels in (5_000, 500_000):
        raw(f"deep-{levels}", f"a config.json of {levels} lists", b"[" * levels + b"]" * levels)
    inside = json.dumps(config).replace('"mask_zero": true', f'"mask_zero": {"[" * 5_000}{"]" * 5_000}')
    raw("deep-inside", "5000 lists as mask_zero", inside.encode())
    raw(
        "nan",
        "a config.json with NaN as width",
        json.dumps(config).replace(f'"output_dim": {WIDTH}', '"output_dim": NaN').encode(),
    )
    raw(
        "twice",
        "units twice, the second of another size",
        json.dumps(config).replace('"units": 4', '"units": 4, "units": 7').encode(),
    )
    own = json.loads(parts["config.json"])
    own["class_name"] = "Evil"
    own["module"] = "os"
    raw("class-of-another", "a model of the class os.Evil", json.dumps(own).encode())

    def units(value):
        return lambda layers: layers[2]["config"].update(units=value)

    hostile("units", "5 units, the weights have 4", units(5))
    hostile("units-2-to-the-40", "2^40 units", units(2**40))
    hostile("units-2-to-the-70", "2^70 units", units(2**70))
    hostile("units-negative", "-4 units", units(-4))
    hostile("units-text", "units 'four'", units("four"))
    hostile("words", "13 words, the weights have 12", lambda layers: layers[1]["config"].update(input_dim=13))
    hostile("words-2-to-the-40", "2^40 words", lambda layers: layers[1]["config"].update(input_dim=2**40))
    hostile("layer-less", "a layer less than the weights have", lambda layers: layers.pop(3))
    hostile("layer-more", "a layer more than the weights have", lambda layers: layers.insert(3, layers[3]))
    hostile("no-layers", "no layers", lambda layers: layers.clear())
    hostile(
        "layers-100000",
        "100 000 Dropout layers",
        lambda layers: layers.extend([{"class_name": "Dropout", "config": {"rate": 0.1}}] * 100_000),
    )
    hostile("layer-without-config", "a layer without a config", lambda layers: layers[2].pop("config"))
    hostile("layer-a-number", "a layer that is a number", lambda layers: layers.append(7))
    hostile(
        "activation-an-object",
        "an activation that is a serialised function",
        lambda layers: layers[2]["config"].update(
            activation={"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"}
        ),
    )
    hostile(
        "custom-cell",
        "a registered class of one's own",
        lambda layers: layers[2].update(module=None, class_name="MyLSTM", registered_name="mine>MyLSTM"),
    )
    escapes = "\x1b[2J\x07\r\n\u202eevil"
    hostile(
        "names-with-escapes",
        "a class whose name moves the terminal's cursor",
        lambda layers: layers[2].update(class_name=escapes),
    )
    hostile(
        "name-of-1-mb",
        "a class whose name has a million letters",
        lambda layers: layers[2].update(class_name="L" * (1 << 20)),
    )
