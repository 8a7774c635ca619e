"""A sound checkpoint of each kind that is read."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from pathlib import Path

import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

DATA = Path(__file__).parents[1] / "data" / "keras"
CHECKPOINTS = (
    *("zipped.pt", "old.pth", "tensors.safetensors", "node.onnx", "four.keras", "four.h5", "traced.jit"),
    # PyTorch writes them from 2.8 on.
    *(["exported.pt2"] if importlib.util.find_spec("torch.export.pt2_archive") else []),
)


def write_sound(path: Path) -> None:
    module = nn.LSTM(2, 3)
    state = module.state_dict()
    if path.suffix in (".keras", ".h5"):
        shutil.copy(DATA / path.name, path)
    elif path.suffix in (".jit", ".pt2"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix == ".jit":
                torch.jit.trace(module, torch.ones(4, 1, 2)).save(path)
            else:
                torch.export.save(torch.export.export(module, (torch.ones(4, 1, 2),)), path)
    elif path.suffix == ".safetensors":
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
