"""A sound checkpoint of each kind that is read."""

from __future__ import annotations

from pathlib import Path

import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

CHECKPOINTS = ("zipped.pt", "old.pth", "tensors.safetensors", "node.onnx")


def write_sound(path: Path) -> None:
    state = nn.LSTM(2, 3).state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    elif path.suffix == ".onnx":
        weights = {"W": torch.ones(1, 9, 2), "R": torch.ones(9, 3)}
        shape = numpy_helper.from_array(torch.tensor([1, 9, 3]).numpy(), "shape")
        nodes = [
            helper.make_node("Reshape", ["R", "shape"], ["R3"]),
            helper.make_node("GRU", ["X", "W", "R3"], ["Y"], hidden_size=3, activations=["Sigmoid", "Tanh"]),
        ]
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "XY"]
        tensors = [numpy_helper.from_array(tensor.numpy(), name) for name, tensor in weights.items()]
        graph = helper.make_graph(nodes, "graph", infos[:1], infos[1:], [*tensors, shape])
        path.write_bytes(helper.make_model(graph).SerializeToString())
    else:
        torch.save({"model": state}, path, _use_new_zipfile_serialization=path.suffix == ".pt")
