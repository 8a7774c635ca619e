"""Whatever a checkpoint or an ONNX model holds: a list or a sentence, never a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from scenario.mutations import spoilt
from torch import nn

from lstmtui.__main__ import main

FILES = ("zipped.pt", "old.pth", "tensors.safetensors", "node.onnx")


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


@pytest.mark.parametrize("name", FILES)
def test_spoilt_files_are_listed_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    write_sound(path)
    assert main(["check", str(path)]) == 0
    assert "1 recurrent layer\n" in capsys.readouterr().out
    sound, rng = path.read_bytes(), random.Random(7)
    for _ in range(200):
        content = spoilt(sound, rng)
        path.write_bytes(content)
        status = main(["check", str(path)])
        output = capsys.readouterr()
        assert status == 2 or not output.err, content
        assert bool(output.out) != bool(output.err), content
        said = (output.out + output.err).replace("\n", "")
        assert said.isprintable(), content
        assert "Traceback" not in said, content
