"""Progress of a recording, and stopping it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lstmtui.capture.fused import method as fused
from lstmtui.capture.record import record
from lstmtui.errors import Cancelled

pytestmark = pytest.mark.usefixtures("each_method")
STEPS = 150


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 timesteps at most, however the layers are run."""
    monkeypatch.setattr(fused, "KEPT", 0)
    monkeypatch.setattr(fused, "WORKING", 0)


def test_progress_rises_to_its_total() -> None:
    seen: list[tuple[int, int]] = []
    record(
        nn.GRU(2, 3, num_layers=2, bidirectional=True),
        torch.ones(STEPS, 1, 2),
        progress=lambda *now: seen.append(now),
    )
    done = [d for d, _ in seen]
    assert done == sorted(set(done))
    assert {total for _, total in seen} == {2 * STEPS * 4}
    assert seen[-1] == (2 * STEPS * 4, 2 * STEPS * 4)
    assert len(seen) >= 2 * 4 * (STEPS // 64)


@pytest.mark.parametrize("loss", [None, lambda result: torch.ones((), requires_grad=True)])
def test_progress_ends_at_its_total_whatever_the_loss_depends_on(loss: object) -> None:
    seen: list[tuple[int, int]] = []
    record(nn.RNN(2, 3), torch.ones(5, 1, 2), loss=loss, progress=lambda *now: seen.append(now))  # type: ignore[arg-type]
    assert seen[-1] == (10, 10)


@pytest.mark.parametrize("after", [1, 2, 4, 5, 6])
def test_cancelling_stops_the_run_forwards_and_backwards(after: int) -> None:
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Cancelled

    module = nn.LSTM(2, 3)
    with pytest.raises(Cancelled):
        record(module, torch.ones(STEPS, 1, 2), progress=progress)
    assert calls == after
    assert "forward" not in vars(module)
    assert all(p.grad is None for p in module.parameters())
    assert record(module, torch.ones(4, 1, 2)).steps == 4
