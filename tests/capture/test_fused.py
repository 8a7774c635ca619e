"""The stock kernels with taps give the recording that the equations give step by step."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from oracles.recurrents import as_states, noise, random_recurrent, random_states
from torch import Tensor, nn

from lstmtui.capture.fused import method as fused
from lstmtui.capture.layer_function import method
from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace

NEAR = {torch.float64: 1e-12, torch.float32: 1e-5}
KERNELS = ("lstm", "lstm_coupled", "gru", "rnn_tanh", "rnn_relu")


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the timesteps of a segment; no kernel keeps what it needs to go backward."""

    def cut(steps: int) -> None:
        for name, value in (("KEPT", 0), ("WORKING", 0), ("SHORTEST", steps)):
            monkeypatch.setattr(fused, name, value)

    return cut


def loss_of_everything(steps: int, batch: int, units: int, dtype: torch.dtype) -> Callable[[Any], Tensor]:
    """Reads every output and every last state, each with a weight of its own."""
    weights = noise(steps, batch, units, seed=41, dtype=dtype)

    def loss(result: Any) -> Tensor:
        total = (weights * result[0] ** 2).sum()
        for number, state in enumerate(as_states(result[1])):
            total = total + (noise(*state.shape, seed=42 + number, dtype=dtype) * state).sum()
        return total

    return loss


def both(module: Recurrent, steps: int, batch: int, lengths: list[int] | None = None) -> tuple[Trace, Trace]:
    """The same run fused and unrolled."""
    dtype = next(module.parameters()).dtype
    x, hx = noise(steps, batch, module.layout.input_size, seed=40, dtype=dtype), random_states(module, batch)
    units = module.layout.output_size * len(module.layout.directions)
    traces = []
    for way in ("fused", "unrolled"):
        with method(way):
            loss = loss_of_everything(steps, batch, units, dtype)
            traces.append(record(module, x, hx=hx, lengths=lengths, loss=loss))
    return traces[0], traces[1]


def farthest(ours: Trace, theirs: Trace) -> float:
    """max |Δ| over all arrays, each against the size of what stands in it."""
    assert set(ours.arrays) == set(theirs.arrays)
    found = 0.0
    for key in theirs.arrays:
        a, b = torch.as_tensor(ours.arrays[key]).double(), torch.as_tensor(theirs.arrays[key]).double()
        assert a.shape == b.shape, key
        found = max(found, float((a - b).abs().max() / b.abs().max().clamp(min=1.0)))
    return found


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("cell", KERNELS)
def test_both_ways_agree_on_random_configurations(
    cell: str, seed: int, short_segments: Callable[[int], None]
) -> None:
    draw = random.Random(f"{cell} {seed}")
    steps, batch, hidden = draw.choice((1, 2, 36, 70)), draw.choice((1, 1, 2, 5)), draw.choice((1, 3, 6))
    dtype = draw.choice((torch.float32, torch.float64))
    lengths = [draw.randint(1, steps) for _ in range(batch)] if draw.random() < 0.4 else None
    project = cell.startswith("lstm") and hidden > 1 and draw.random() < 0.3
    module = random_recurrent(
        cell,
        draw.choice((1, 4)),
        hidden,
        dtype=dtype,
        seed=seed,
        num_layers=draw.choice((1, 2)),
        bidirectional=draw.random() < 0.4,
        bias=draw.random() < 0.7,
        proj_size=hidden - 1 if project else 0,
    )
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            # Weights this small let no gradient explode, in which rounding would have no bound.
            parameter.mul_(0.4 if "weight" in name else 1.0)
    if draw.random() < 0.5:
        short_segments(draw.choice((5, 33)))
    assert farthest(*both(module, steps, batch, lengths)) <= NEAR[dtype]


@pytest.mark.parametrize("lengths", [None, [100, 37, 64, 1]])
@pytest.mark.parametrize("cell", KERNELS)
def test_where_segments_end_does_not_show(
    cell: str, lengths: list[int] | None, short_segments: Callable[[int], None]
) -> None:
    module = random_recurrent(cell, bidirectional=True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)
    x = noise(100, 4, 3, seed=46)
    whole = record(module, x, lengths=lengths)
    short_segments(36)
    assert farthest(record(module, x, lengths=lengths), whole) <= 1e-12


@pytest.mark.parametrize("cell", KERNELS)
def test_a_layer_a_kernel_has_run_is_not_unrolled(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("unrolled")

    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    monkeypatch.setattr("lstmtui.capture.unrolled.unroll", refuse)
    trace = record(module, noise(40, 2, 3, seed=43), lengths=[40, 7])
    assert trace.parity is not None
    assert trace.parity <= 1e-9
    with method("unrolled"), pytest.raises(AssertionError, match="unrolled"):
        record(module, noise(40, 2, 3, seed=43))


def test_an_activation_that_overflows_is_recorded_by_the_equations() -> None:
    module = random_recurrent("rnn_relu", 1, 1, dtype=torch.float32, bias=False)
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").fill_(1.0)
        module.get_parameter("weight_hh_l0").fill_(2.0)
    fast, slow = both(module, 200, 1)
    assert not torch.as_tensor(slow.values("h")).isfinite().all()
    for key, array in slow.arrays.items():
        assert torch.equal(
            torch.as_tensor(fast.arrays[key]).nan_to_num(7.0, 8.0, 9.0),
            torch.as_tensor(array).nan_to_num(7.0, 8.0, 9.0),
        ), key


@pytest.mark.parametrize("length", [16, 1000])
def test_a_gradient_that_overflows_is_recorded_by_the_equations(
    length: int, short_segments: Callable[[int], None]
) -> None:
    module = random_recurrent("rnn_relu", 1, 2, dtype=torch.float32, bias=False)
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").fill_(1e-30)
        module.get_parameter("weight_hh_l0").copy_(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
    short_segments(length)
    x = torch.ones(60, 1, 1)
    traces = []
    for way in ("fused", "unrolled"):
        with method(way):
            traces.append(record(module, x, loss=lambda result: 1e20 * result[0].sum()))
    fast, slow = traces
    assert not torch.as_tensor(slow.values("dh")).isfinite().all()
    for name in ("h", "h_pre", "dh", "dh_pre", "dx"):
        ours, theirs = (torch.as_tensor(t.values(name)) for t in (fast, slow))
        assert torch.equal(ours.isfinite(), theirs.isfinite()), name
        assert torch.allclose(ours.nan_to_num(), theirs.nan_to_num(), rtol=1e-5), name


def test_the_result_may_be_changed_in_place() -> None:
    module, x = nn.LSTM(3, 4), noise(50, 2, 3, seed=44, dtype=torch.float32)
    plain = record(module, x, loss=lambda result: result[0].relu().sum())
    changed = record(module, x, loss=lambda result: result[0].relu_().sum())
    assert torch.equal(torch.as_tensor(plain.values("h")), torch.as_tensor(changed.values("h")))
    assert torch.equal(torch.as_tensor(plain.values("dh")), torch.as_tensor(changed.values("dh")))
