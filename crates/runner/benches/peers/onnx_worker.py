"""The lesson's network in ONNX Runtime, which answers and doesn't train: with lengths and without."""

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from workloads import Variant, serve, threads

OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# Where ONNX's gates are in PyTorch's order.
GATES = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0]}
# Since 2021; the same operators as in later ones.
OPSET, IR_VERSION = 14, 7


def model(workload, with_lengths):
    """The network as an ONNX graph of standard operators, serialised."""
    weights = workload.weights()

    def recurrent(name):
        blocks = numpy.split(weights[f"recurrent.{name}_l0"], len(GATES[workload.cell]))
        return numpy.concatenate([blocks[gate] for gate in GATES[workload.cell]])

    values = {
        "embedding": weights["embedding.weight"],
        # Of one direction.
        "W": recurrent("weight_ih")[None],
        "R": recurrent("weight_hh")[None],
        "B": numpy.concatenate([recurrent("bias_ih"), recurrent("bias_hh")])[None],
        "direction": numpy.array([0]),
        **{name: weights[name] for name in weights if name.startswith(("dense", "output"))},
    }
    # The update of a GRU that PyTorch and Keras have.
    form = {"linear_before_reset": 1} if workload.cell == "gru" else {}
    lengths = "lengths" if with_lengths else ""
    nodes = [
        # The recurrent operators read [T, B, E].
        helper.make_node("Transpose", ["ids"], ["by_time"]),
        helper.make_node("Gather", ["embedding", "by_time"], ["vectors"]),
        helper.make_node(
            OPERATORS[workload.cell],
            ["vectors", "W", "R", "B", lengths],
            ["", "states"],
            hidden_size=workload.hidden,
            **form,
        ),
        helper.make_node("Squeeze", ["states", "direction"], ["last"]),
        helper.make_node("Gemm", ["last", "dense.weight", "dense.bias"], ["dense"], transB=1),
        helper.make_node("Relu", ["dense"], ["active"]),
        helper.make_node("Gemm", ["active", "output.weight", "output.bias"], ["logits"], transB=1),
    ]
    int32, shape = TensorProto.INT32, [workload.batch, workload.time]
    inputs = [helper.make_tensor_value_info("ids", int32, shape)]
    if with_lengths:
        inputs.append(helper.make_tensor_value_info("lengths", int32, shape[:1]))
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [workload.batch, 1])
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "lesson", inputs, [output], constants)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


def variants(workload):
    if workload.train:
        return {}
    given = {"ids": workload.ids(), "lengths": workload.lengths()}
    given = {name: numpy.array(value, dtype="int32") for name, value in given.items()}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    found = {}
    for name, inputs in [("no lengths", ["ids"]), ("lengths", ["ids", "lengths"])]:
        with_lengths = len(inputs) == 2
        session = onnxruntime.InferenceSession(
            model(workload, with_lengths), options, providers=["CPUExecutionProvider"]
        )
        feed = {name: given[name] for name in inputs}

        def logits(session=session, feed=feed):
            return session.run(None, feed)[0][:, 0]

        found[name] = Variant(logits, logits, with_lengths)
    return found


if __name__ == "__main__":
    serve("ONNX Runtime", onnxruntime.__version__, variants)
