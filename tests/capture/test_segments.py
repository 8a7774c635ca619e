"""Derivatives are computed a segment of timesteps at a time; where the segments end must not show."""

from __future__ import annotations

import pytest
import torch
from oracles.hand_loops import gradient_gap
from oracles.recurrents import CELL_NAMES, gap, noise, random_recurrent, random_states

from lstmtui.capture import unrolled
from lstmtui.capture.record import record
from lstmtui.trace import Trace

EXACT = 1e-12


@pytest.mark.parametrize("steps", [63, 64, 65, 130])
@pytest.mark.parametrize("cell", ["lstm_peephole", "gru"])
def test_derivatives_round_the_end_of_a_segment_are_exact(cell: str, steps: int) -> None:
    assert unrolled.SEGMENT == 64
    module = random_recurrent(cell, 2, 3)
    x = noise(steps, 1, 2, seed=90)
    assert gradient_gap(module, x, random_states(module, 1), noise(steps, 1, 3, seed=91)) <= EXACT


@pytest.mark.parametrize("lengths", [None, [12, 5]])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_any_size_of_segment_gives_the_same_trace(
    cell: str, lengths: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    x, hx = noise(12, 2, 3, seed=92), random_states(module, 2)

    def recorded(segment: int) -> Trace:
        monkeypatch.setattr(unrolled, "SEGMENT", segment)
        return record(module, x, hx=hx, lengths=lengths, loss=lambda result: (result[0] ** 2).sum())

    whole = recorded(1000)
    assert all(torch.as_tensor(a).isfinite().all() for a in whole.arrays.values())
    for segment in (1, 7):
        found = recorded(segment)
        assert set(found.arrays) == set(whole.arrays)
        for key, array in whole.arrays.items():
            assert gap(found.arrays[key], array) <= EXACT, (segment, key)
