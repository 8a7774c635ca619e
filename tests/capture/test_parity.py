"""Parity: small where the run is right, large where it differs from the stock module."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles.recurrents import LSTM_NAMES, STOCK_NAMES, noise, random_recurrent, random_states, with_cell
from torch import nn

from lstmtui.capture import parity as parity_module
from lstmtui.capture.layer_function import method
from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.models.stock import layout_of, stock_twin


@pytest.mark.usefixtures("each_method")
@pytest.mark.parametrize("lengths", [None, [5, 2]])
@pytest.mark.parametrize("cell", [*STOCK_NAMES, "lstm_coupled"])
def test_parity_of_a_right_run_is_rounding(cell: str, lengths: list[int] | None) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    trace = record(module, noise(5, 2, 3, seed=110), hx=random_states(module, 2), lengths=lengths)
    assert trace.parity is not None
    assert trace.parity <= 1e-12
    assert record(module.float(), noise(5, 2, 3, seed=110).float()).parity <= 1e-5  # type: ignore[operator]


@pytest.mark.usefixtures("each_method")
@pytest.mark.parametrize("cell", ["lstm", "lstm_coupled"])
def test_parity_knows_projections(cell: str) -> None:
    module = random_recurrent(cell, proj_size=2)
    assert record(module, noise(5, 2, 3, seed=111)).parity <= 1e-12  # type: ignore[operator]


@pytest.mark.parametrize("cell", ["lstm_peephole", "gru_reset_before"])
def test_a_cell_pytorch_does_not_have_has_no_parity(cell: str) -> None:
    assert record(random_recurrent(cell), noise(5, 2, 3, seed=112)).parity is None


def test_parity_is_large_where_a_weight_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(*arguments: object) -> nn.RNNBase | None:
        twin = stock_twin(*arguments)  # type: ignore[arg-type]
        assert twin is not None
        with torch.no_grad():
            twin.get_parameter("weight_hh_l0")[0, 0] += 0.5
        return twin

    monkeypatch.setattr(parity_module, "stock_twin", spoiled)
    with method("unrolled"):
        found = record(nn.LSTM(3, 4).double(), noise(5, 2, 3, seed=113)).parity
    assert found is not None
    assert found > 1e-4


def test_parity_is_large_where_the_equations_differ() -> None:
    wrong = replace(CELLS["lstm"], rows=("f", "i", "g", "o"))
    found = record(with_cell(random_recurrent("lstm"), wrong), noise(5, 2, 3, seed=114)).parity
    assert found is not None
    assert found > 1e-2


def test_a_number_where_the_twin_has_nan_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(*arguments: object) -> nn.RNNBase | None:
        twin = stock_twin(*arguments)  # type: ignore[arg-type]
        assert twin is not None
        with torch.no_grad():
            twin.get_parameter("bias_hh_l0").fill_(float("nan"))
        return twin

    monkeypatch.setattr(parity_module, "stock_twin", spoiled)
    with method("unrolled"):
        found = record(nn.GRU(3, 4), noise(5, 2, 3, seed=115, dtype=torch.float32)).parity
    assert found is not None
    assert np.isnan(found)


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_the_stock_twin_is_in_evaluation_mode_and_shares_nothing(cell: str) -> None:
    module = random_recurrent(cell, num_layers=2, dropout=0.3)
    twin = stock_twin(layout_of(module), dict(module.named_parameters()))
    if cell == "lstm_peephole":
        assert twin is None
        return
    assert twin is not None
    assert not twin.training
    before = module.get_parameter("weight_hh_l0").clone()
    with torch.no_grad():
        twin.get_parameter("weight_hh_l0").zero_()
    assert torch.equal(module.get_parameter("weight_hh_l0"), before)
