"""Stacks through which signal and gradient come, and stacks that lose them on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.analysis.diagnosis import BAD, FINE, NOT_MEASURED, Verdict, diagnose_trace
from lstmtui.analysis.stacks import stacks
from lstmtui.trace import Trace


def depth_of(trace: Trace) -> list[Verdict]:
    return [verdict for verdict in diagnose_trace(trace) if verdict.name == "depth"]


def recorded(layers: int, units: int, batch: int = 2, seed: int = 8) -> Trace:
    torch.manual_seed(seed)
    stack = nn.LSTM(2, units, num_layers=layers, batch_first=True)
    return lstmtui.record(stack, torch.randn(batch, 12, 2), loss=lambda r: r[0].sum())


@pytest.mark.parametrize("seed", [1, 2, 3, 8])
def test_eight_layers_of_two_units_lose_both(seed: int) -> None:
    trace = recorded(8, 2, seed=seed)
    (verdict,) = depth_of(trace)
    assert (verdict.severity, verdict.layer) == (BAD, 0)
    gradients = [np.linalg.norm(trace.values("dh", layer)) for layer in (0, 7)]
    ends = [trace.values("h", layer).astype(np.float64) for layer in (0, 7)]
    apart = [np.linalg.norm(h - h.mean(1, keepdims=True)) / np.linalg.norm(h) for h in ends]
    assert verdict.number == pytest.approx(min(gradients[0] / gradients[1], apart[1] / apart[0]), rel=1e-3)
    assert verdict.next.startswith("layer 0 forward\n")
    assert all(v.severity == FINE for v in diagnose_trace(trace) if v.name == "exploding")


def test_a_single_sequence_has_its_gradient_alone() -> None:
    (verdict,) = depth_of(recorded(8, 2, batch=1))
    assert verdict.quantity == "dh"
    assert "differs" not in verdict.text


def test_a_stack_of_two_layers_is_fine() -> None:
    assert [v.severity for v in depth_of(recorded(2, 16))] == [FINE]


def test_without_gradient_and_other_sequence_it_is_not_measured() -> None:
    stack = nn.GRU(2, 3, num_layers=2)
    with pytest.warns(RuntimeWarning, match="no gradient"):
        trace = lstmtui.record(stack, torch.randn(12, 1, 2), loss=lambda r: r[0].detach().sum())
    (verdict,) = depth_of(trace)
    assert verdict.severity == NOT_MEASURED
    assert "the loss has no gradient" in verdict.text


class Loose(nn.Module):
    """Layers of modules of their own, one on the other or beside each other."""

    def __init__(self, beside: bool) -> None:
        super().__init__()
        sizes = (2, 2, 2) if beside else (2, 3, 3)
        self.layers = nn.ModuleList(nn.GRU(size, 3) for size in sizes)
        self.beside = beside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = []
        for layer in self.layers:
            h = layer(x)[0]
            outputs.append(h)
            x = x if self.beside else torch.relu(h)
        return sum(outputs)


def test_layers_of_a_module_list_are_a_stack_where_one_reads_the_other() -> None:
    for beside, expected in ((False, ((0, 1, 2),)), (True, ())):
        trace = lstmtui.record(Loose(beside), torch.randn(12, 2, 2), loss=lambda out: out.sum())
        assert stacks(trace) == expected
