"""Recurrent layers found in checkpoints from names and shapes alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.cells import CELLS
from lstmtui.models.checkpoints.layers import find_layers
from lstmtui.models.checkpoints.names import plain_names, plain_path
from lstmtui.models.stock import layout_of


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(3, 4),
        nn.LSTM(3, 5, 3, bidirectional=True, proj_size=2),
        nn.GRU(3, 4, 2, bias=False),
        nn.RNN(4, 4, bidirectional=True),
        nn.LSTMCell(3, 4),
        nn.GRUCell(3, 1),
        nn.RNNCell(3, 4, bias=False),
        lstmtui.Recurrent("lstm_peephole", 3, 4, 2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", ["", "encoder.rnn"])
def test_the_sizes_of_every_kind_of_module_are_found(module: nn.Module, path: str) -> None:
    shapes = {f"{path}.{name}".strip("."): shape for name, shape in shapes_of(module).items()}
    (found,) = find_layers(shapes | {"head.weight": (2, 4), "norm.num_batches": ()})
    assert (found.path, found.layout, found.wrong) == (path, layout_of(module), "")
    assert set(found.names) == set(found.layout.shapes())  # type: ignore[union-attr]
    assert {shapes[name] for name in found.names.values()} == set(shapes.values())


def test_every_layer_of_a_model_is_listed_with_its_sizes() -> None:
    model = nn.ModuleDict({"a": nn.LSTM(3, 4, 2, bidirectional=True), "b": nn.Sequential(nn.GRUCell(4, 5))})
    assert [str(layer) for layer in find_layers(shapes_of(model))] == [
        "a: lstm 3 → 4, 2 layers, bidirectional",
        "b.0: gru 4 → 5",
    ]


@pytest.mark.parametrize(
    ("cell", "others"),
    [
        ("gru", {"lstm_coupled", "gru_reset_before"}),
        ("rnn_tanh", {"rnn_relu"}),
        ("lstm", set()),
        ("lstm_peephole", set()),
    ],
)
def test_cells_of_the_same_shapes_are_told_apart_by_the_user(cell: str, others: set[str]) -> None:
    (found,) = find_layers(shapes_of(lstmtui.Recurrent(cell, 2, 3)))
    assert (found.cells[0], set(found.cells[1:])) == (cell, others)
    for other in others:
        assert found.as_cell(other).layout == layout_of(lstmtui.Recurrent(other, 2, 3))
    assert found.layout is not None
    assert found.layout.cell is CELLS[cell]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight_ih_l0": None}, "weight_ih_l0 is missing"),
        ({"bias_hh_l1": None}, "bias_hh_l1 is missing"),
        ({"weight_hh_l0": (10, 4)}, "weight_hh_l0 (10, 4) is that of no cell"),
        ({"weight_hh_l0": (16,)}, "its weights are not matrices"),
        ({"weight_hh_l1": (16, 5)}, "weight_hh_l1 has shape (16, 5), (16, 4) is expected"),
        ({"weight_hh_l9999": (16, 4)}, "it has a layer 9999, at most 64 layers are read"),
        ({"weight_hr_l0": (4, 4)}, "proj_size must lie between 0 and hidden_size − 1, is 4"),
        ({"weight_hh_l1": None, "weight_hh_l1_g": (16, 1)}, "weight_hh_l1 is computed from other parameters"),
        ({"weight_hh_l0_raw": (16, 4)}, "weight_hh_l0 is computed from other parameters"),
    ],
)
def test_what_does_not_fit_together_is_said(change: dict[str, Any], said: str) -> None:
    shapes = shapes_of(nn.LSTM(3, 4, 2)) | change
    (found,) = find_layers({name: shape for name, shape in shapes.items() if shape is not None})
    assert found.layout is None
    assert found.wrong.startswith(said)


def test_parametrized_weights_are_named() -> None:
    module = nn.utils.parametrizations.weight_norm(nn.LSTM(2, 3), "weight_hh_l0")
    (found,) = find_layers(shapes_of(module))
    assert found.wrong.startswith("weight_hh_l0 is computed from other parameters")


def test_wrappers_and_containers_are_left_out_of_names() -> None:
    names = ["module.encoder._orig_mod.rnn.weight_hh_l0", "module.fc.weight"]
    plain = plain_names((("state_dict",), name) for name in names)
    assert list(plain) == ["encoder.rnn.weight_hh_l0", "fc.weight"]
    assert plain["fc.weight"] == (("state_dict",), "module.fc.weight")
    assert plain_path("module.encoder._orig_mod.rnn") == "encoder.rnn"
    assert list(plain_names([((), "module.weight"), ((), "fc.weight")])) == ["module.weight", "fc.weight"]
    assert list(plain_names([(("generator",), "rnn.weight")])) == ["generator.rnn.weight"]


def test_two_state_dicts_of_the_same_names_both_stay() -> None:
    entries = [
        (("model",), "rnn.weight_hh_l0"),
        (("ema", "model"), "rnn.weight_hh_l0"),
        (("net",), "rnn.weight_hh_l0"),
    ]
    assert list(plain_names(entries)) == ["rnn.weight_hh_l0", "ema.rnn.weight_hh_l0", "net.rnn.weight_hh_l0"]


def test_compiled_modules_are_found_at_their_own_path() -> None:
    compiled = {f"_orig_mod.{name}": torch.empty(shape) for name, shape in shapes_of(nn.GRU(2, 3)).items()}
    (found,) = find_layers(
        {n: tuple(compiled[e[1]].shape) for n, e in plain_names(((), k) for k in compiled).items()}
    )
    assert (found.path, found.layout) == ("", layout_of(nn.GRU(2, 3)))
