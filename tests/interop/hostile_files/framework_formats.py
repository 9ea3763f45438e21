"""Other formats, written by the frameworks whose formats they are."""

import onnx
import tensorflow as tf
import torch
from torch import nn


def write(cases):
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "main",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    onnx.save(onnx.helper.make_model(graph), cases.hostile("onnx-own.onnx", "a file of the onnx package"))
    module = nn.Linear(3, 2)
    torch.jit.script(module).save(str(cases.hostile("pytorch-torchscript.pt", "TorchScript")))
    exported = torch.export.export(module, (torch.zeros(1, 3),))
    torch.export.save(exported, cases.hostile("pytorch-exported.pt2", "torch.export's file"))
    layer = tf.Module()
    layer.weight = tf.Variable([[1.0]])
    tf.saved_model.save(layer, str(cases.hostile("saved-model-own", "a folder of TensorFlow's SavedModel")))
    checkpoint = cases.hostile("tensorflow-checkpoint.index", "the index of TensorFlow's checkpoint, by TensorFlow")
    tf.train.Checkpoint(layer).write(str(checkpoint.with_suffix("")))
