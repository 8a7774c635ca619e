"""The ledger of a loss that a what-if took at one place: the units that it is the sum of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.recurrents import noise, random_recurrent
from torch import Tensor, nn

from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.ledger import Ledger, Place
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.trace import Trace
from lstmtui.trace.edits import LossAt
from lstmtui.trace.storage import load

LOSS = Place("loss", 0, 0, 0, "forward", 0)


class Counter(nn.Module):
    """No layer that is known by name."""

    def forward(self, x: Tensor) -> Tensor:
        level = torch.zeros_like(x[0])
        levels = []
        for row in x:
            level = torch.tanh(row + 0.5 * level)
            levels.append(level)
        return torch.stack(levels)


def chosen(trace: Trace, at: LossAt) -> Ledger:
    changed = rerun(trace, (), at)
    ledger = ledger_at(changed, LOSS)
    assert ledger.total == pytest.approx(changed.loss, rel=1e-12)
    assert ledger.equation == f"loss = {changed.header.loss_text}"
    return ledger


@pytest.mark.parametrize("unit", [None, 1, 4])
def test_without_a_head_it_is_of_h_of_both_directions(unit: int | None) -> None:
    trace = record(
        random_recurrent("gru", bidirectional=True), noise(5, 2, 3, seed=1), loss=lambda out: out[0].sum()
    )
    ledger = chosen(trace, LossAt(3, 1, unit))
    h = np.concatenate([trace.values("h", 0, side)[3, 1] for side in ("forward", "backward")])
    places = {part.leads_to: part.value for part in ledger.parts}
    size = len(h) // 2
    sides = [Place("h", 3, at % size, 0, ("forward", "backward")[at // size], 1) for at in range(len(h))]
    assert places == {place: h[at] for at, place in enumerate(sides) if unit in (None, at)}


@pytest.mark.parametrize("quantity", ["", "level"])
def test_of_recorded_code_it_is_of_what_was_returned_or_of_a_variable(quantity: str) -> None:
    torch.manual_seed(0)
    trace = record(Counter(), torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True), source=True)
    ledger = chosen(trace, LossAt(3, 1, None, 0 if quantity else -1, quantity))
    assert len(ledger.parts) == 3
    assert sorted(part.value for part in ledger.parts) == sorted(trace.arrays["y"][3, 1].tolist())
    assert {part.t for part in ledger.parts} == {3}


def test_it_is_the_same_read_back(tmp_path: Path) -> None:
    trace = record(random_recurrent("lstm"), noise(5, 2, 3, seed=1))
    changed = rerun(trace, (), LossAt(2, 0, 1))
    changed.save(tmp_path / "run.trace")
    loaded = load(tmp_path / "run.trace")
    assert isinstance(loaded, Trace)
    assert loaded.header.loss_at == LossAt(2, 0, 1)
    assert ledger_at(loaded, LOSS) == ledger_at(changed, LOSS)
