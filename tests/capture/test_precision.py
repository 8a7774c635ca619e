"""Dtypes, NaN and infinities: recorded as the model makes them, never an exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, gap, noise, random_recurrent, stock_of
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.diagnosis import diagnose_trace as diagnose
from lstmtui.capture.record import record
from lstmtui.trace import Traces

pytestmark = pytest.mark.usefixtures("each_method")
KEPT_AS = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.bfloat16: np.float32,
    torch.float16: np.float32,
}
EXACT = 1e-12
NEAR = {torch.float64: 0.0, torch.float32: 1e-5, torch.bfloat16: 0.3, torch.float16: 0.03}


@pytest.mark.parametrize("dtype", KEPT_AS, ids=str)
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_dtype_is_recorded_near_the_run_in_float64(cell: str, dtype: torch.dtype) -> None:
    module, x = random_recurrent(cell, num_layers=2), noise(4, 2, 3, seed=100)
    exact = record(module, x)
    trace = record(module.to(dtype), x.to(dtype))
    assert trace.header.dtype == str(dtype).removeprefix("torch.")
    for name in exact.quantities(1):
        values = trace.values(name, 1)
        assert values.dtype == KEPT_AS[dtype]
        assert gap(values, exact.values(name, 1)) <= NEAR[dtype], name


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_bad_input_is_recorded_and_nothing_before_it_is_touched(cell: str, bad: float) -> None:
    module, x = random_recurrent(cell, num_layers=2), noise(6, 2, 3, seed=101)
    clean = record(module, x)
    x[3, 1, 0] = bad
    trace = record(module, x)
    for name in ("x", *module.layout.cell.quantities):
        for layer in (0, 1):
            values, wanted = trace.values(name, layer), clean.values(name, layer)
            assert gap(values[:3], wanted[:3]) <= EXACT, name
            assert gap(values[:, 0], wanted[:, 0]) <= EXACT, name
    first = module.layout.cell.stages[0]
    shown = trace.values(first + "_pre" if first + "_pre" in trace.quantities() else first)
    assert not np.isfinite(shown[3, 1]).any()


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_values_after_a_nan_are_those_of_the_stock_module(cell: str) -> None:
    module, x = random_recurrent(cell), noise(6, 2, 3, seed=102)
    x[2, 0, 1] = float("nan")
    trace = record(module, x)
    assert gap(trace.values("h"), stock_of(module)(x)[0]) <= 1e-12
    assert np.isnan(trace.values("h")[2:, 0]).all()
    assert np.isfinite(trace.values("h")[:, 1]).all()
    assert np.isnan(trace.loss)
    assert trace.parity is not None
    assert trace.parity <= 1e-12
    assert np.isnan(trace.norms("h")[2:, 0]).all()


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_nan_weight_shows_first_where_the_model_uses_it(cell: str) -> None:
    module, x = random_recurrent(cell), noise(5, 1, 3, seed=103)
    clean = record(module, x)
    with torch.no_grad():
        module.get_parameter("weight_hh_l0")[-1, 0] = float("nan")
    trace = record(module, x, hx=None)
    last = module.layout.cell.rows[-1]
    pre = f"{last}_pre" if last else "h_pre"
    assert np.isnan(trace.values(pre)[0, 0]).tolist() == [False, False, False, True]
    other = {"lstm": "f_pre", "gru": "r_pre"}.get(cell.split("_")[0])
    if other and other in trace.quantities():
        assert gap(trace.values(other)[0], clean.values(other)[0]) <= EXACT
    assert np.isnan(trace.loss)


def test_infinite_weights_are_recorded() -> None:
    module = nn.RNN(2, 2, nonlinearity="relu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
        module.get_parameter("weight_ih_l0")[0, 0] = float("inf")
    trace = record(module, torch.ones(3, 1, 2))
    assert np.isposinf(trace.values("h")[:, 0, 0]).all()
    assert trace.parity == 0


def test_an_overflow_at_the_end_of_a_short_sequence_stays_there() -> None:
    """Its last state is infinite and meets no weight any more: 0·inf must not reach the gradients."""
    module = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").fill_(1.0)
        module.get_parameter("weight_hh_l0").fill_(1e30)
    x = torch.tensor([[1e20, 1.0], [0.0, 0.0], [0.0, 0.0]]).unsqueeze(-1)
    lengths = torch.tensor([2, 3])
    trace = record(module, x, lengths=lengths, loss=lambda result: result[0][0].sum())
    assert np.isposinf(trace.values("h")[1, 0, 0])
    assert trace.parameter_gradients["weight_ih_l0"].item() == pytest.approx(1e20, rel=1e-5)
    assert trace.parameter_gradients["weight_hh_l0"].item() == 0
    assert np.isfinite(trace.values("dh")[:, 0]).all()


def test_gradients_that_are_infinite_with_either_sign_add_up_without_a_warning() -> None:
    sign = torch.tensor([1.0, -1.0])  # of what each direction gives
    trace = record(*diverging(), loss=lambda result: (result[0].mean(0) * sign).sum())
    assert np.isinf(trace.values("dh", 0, "forward")[0]).all()
    assert np.isinf(trace.values("dh", 0, "backward")[-1]).all()
    assert np.isnan(trace.values("dx")[1:-1]).all()


def test_units_that_are_infinite_are_judged_without_a_warning() -> None:
    trace = record(*diverging(layers=2))
    assert {v.severity for v in diagnose(trace) if v.name == "nonfinite"} == {"bad"}


def diverging(layers: int = 1) -> tuple[nn.RNN, Tensor]:
    """A module whose state is infinite in every layer and direction, and its input."""
    module = nn.RNN(1, 1, layers, nonlinearity="relu", bias=False, bidirectional=True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1e20)
    return module, torch.ones(6, 1, 1)


def test_half_precision_that_overflows_is_recorded_as_infinite() -> None:
    module = nn.RNN(1, 1, nonlinearity="relu", bias=False).half()
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").fill_(1e4)
        module.get_parameter("weight_ih_l0").fill_(1.0)
    trace = record(module, torch.ones(4, 1, 1, dtype=torch.float16))
    assert np.isposinf(trace.values("h")[-1, 0, 0])
    assert np.isfinite(trace.values("h")[0]).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_inside_autocast_the_dtype_is_the_one_autocast_computes_in(kind: Any, dtype: torch.dtype) -> None:
    torch.manual_seed(7)
    module, x = kind(3, 4, num_layers=2), noise(5, 2, 3, seed=104, dtype=torch.float32)
    exact, lowered = record(module, x), record(module.to(dtype), x.to(dtype))
    module.float()
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        module(x) if dtype == torch.bfloat16 else None  # fills the cache of casts, outside of any graph
        trace = record(module, x)
    assert trace.header.dtype == str(dtype).removeprefix("torch.")
    for name in ("h", "x", "dh", "dx"):
        assert gap(trace.values(name), lowered.values(name)) <= NEAR[dtype], name
        assert 0 < gap(trace.values(name, 1), exact.values(name, 1)) <= NEAR[dtype]
    assert gap(trace.parameter_gradients["weight_hh_l0"], exact.parameter_gradients["weight_hh_l0"]) <= 0.3
    assert trace.parameters["weight_hh_l0"].dtype == np.float32


def test_a_cell_loop_inside_autocast_keeps_the_states_the_cell_returned() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            state = None
            with torch.autocast("cpu", dtype=torch.bfloat16):
                for step in x:
                    state = self.cell(step, state)
            assert state is not None
            return state[0].float().sum()

    model, x = Loop(), noise(4, 2, 3, seed=105, dtype=torch.float32)
    trace, exact = record(model, x, loss=lambda s: s), record(model.double(), x.double(), loss=lambda s: s)
    for name in ("f", "c", "dh", "dc"):
        assert 0 < gap(trace.values(name), exact.values(name)) <= 0.05, name
    assert trace.parity is not None
    assert 0 < trace.parity <= 0.02


@pytest.mark.parametrize("has_output", [True, False])
def test_a_layer_of_few_digits_before_a_wide_head_is_said(has_output: bool, tmp_path: Path) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.LSTM(3, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                output, (h, _) = self.rnn(x)
            result: Tensor = self.head((output if has_output else h[-1]).float())
            return result

    model, x = Model(), noise(5, 2, 3, seed=106, dtype=torch.float32)
    trace = record(model, x, loss=lambda y: y.square().sum())
    assert ("y" in trace.arrays) == has_output
    assert trace.header.dtype == "bfloat16"
    with lstmtui.watch(model, when="t == 0", path=tmp_path / "w"):
        model(x)
    written = lstmtui.load(tmp_path / "w")
    assert isinstance(written, Traces)
    assert written["step 0"].header.dtype == "bfloat16"
