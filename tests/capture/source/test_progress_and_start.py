"""How far a recording by source has come, how it is cancelled, and where a session of it begins."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.errors import Cancelled, UserError
from lstmtui.session import Session
from lstmtui.trace.edits import Edit

T, B = 7, 2


class Cell(nn.Module):
    """A cell of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z, n = self.linear(torch.cat([x, h], 1)).chunk(2, 1)
        z = torch.sigmoid(z)
        n = torch.tanh(n)
        return z * h + (1 - z) * n


class Model(nn.Module):
    """Two cells above each other in a loop, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = Cell(), Cell()
        self.widen, self.head = nn.Linear(2, 3), nn.Linear(2, 1)
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        states = [x.new_zeros(x.shape[1], 2) for _ in range(2)]
        for v in x:
            for at, cell in enumerate((self.lower, self.upper)):
                states[at] = cell(v if at == 0 else self.widen(states[0]), states[at])
            self.last = states[-1]
        out: Tensor = self.head(states[-1])
        return out


def test_progress_is_told_of_the_rounds_of_code() -> None:
    told: list[tuple[int, int]] = []
    lstmtui.record(Model(), torch.randn(T, B, 3), progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {3, 4, T} <= {done for done, _ in told}
    assert told[-1] == (T, T)


@pytest.mark.parametrize("swallows", [False, True])
def test_a_cancelled_recording_stops_and_leaves_everything_as_it_was(swallows: bool, tmp_path: Any) -> None:
    class Outer(Model):
        def forward(self, x: Tensor) -> Tensor:
            if not swallows:
                return super().forward(x)
            try:
                return super().forward(x)
            except Exception:
                return self.head(x[0, :, :2])

    def progress(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    def other(*_: Any) -> None:
        return None

    model, x = Outer(), torch.randn(T, B, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    traced, random = sys.gettrace(), torch.get_rng_state()
    sys.settrace(other)
    try:
        with pytest.raises(Cancelled) as caught:
            lstmtui.record(model, x, progress=progress, path=tmp_path / "trace")
        assert sys.gettrace() is other
    finally:
        sys.settrace(traced)
    assert not hasattr(caught.value, "lstmtui_trace")
    assert list(tmp_path.iterdir()) == []
    assert model.last is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_session_begins_at_the_cell_and_not_at_what_calls_it() -> None:
    trace = lstmtui.record(Model(), torch.randn(T, B, 3))
    session = Session({trace.name: trace})
    assert session.layer.cell == "Cell"
    assert int(trace.lengths.max()) == T


def test_a_head_that_was_trained_since_is_noticed_though_no_variable_differs() -> None:
    model = Model()
    trace = lstmtui.record(model, torch.randn(T, B, 3))
    layer = next(n for n, layer in enumerate(trace.layers) if layer.cell == "Cell")
    edit = Edit(1, "m", layer, "forward", 0, "z", None, 1.0, 1, 1)
    rerun_source(trace, [edit])
    values = np.array(trace.values("z", layer))
    with torch.no_grad():
        model.head.weight.mul_(2)
    with pytest.raises(UserError, match=r"its parameter head\.weight has other values by now"):
        rerun_source(trace, [edit])
    assert np.array_equal(values, trace.values("z", layer))
