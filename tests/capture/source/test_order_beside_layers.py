"""The first bad value of code and of modules in it: the one that was computed first as the code ran."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.trace import Trace

T, B, H = 5, 2, 3
RAN: list[tuple[str, int]] = []
"""What ran, a name or a module and its timestep, as the code itself notes it down."""


class Gate(nn.Module):
    """Code of its own, which is a layer beside the one that calls it."""

    def forward(self, h: Tensor, t: int) -> Tensor:
        RAN.append(("h", t))
        opened = torch.sigmoid(h)
        RAN.append(("opened", t))
        return opened


class Mixed(nn.Module):
    """Cells of PyTorch's and lines between them, after what is computed for all timesteps at once."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.write, self.gate = nn.GRUCell(H, H), nn.LSTMCell(H, H), Gate()

    def forward(self, x: Tensor) -> Tensor:
        RAN.append(("x", -1))
        scaled = x * 2
        RAN.append(("scaled", -1))
        first = second = cell = x.new_zeros(B, H)
        out = []
        for t in range(T):
            now = scaled[t] + second
            RAN.append(("now", t))
            RAN.append(("read", t))
            first = self.read(now, first)
            RAN.append(("first", t))
            part = self.gate(first, t)
            RAN.append(("part", t))
            if t % 2:
                part = part * now
                RAN.append(("part", t))
            RAN.append(("write", t))
            second, cell = self.write(part, (second, cell))
            RAN.append(("second", t))
            out.append(second)
        return torch.stack(out)


@pytest.fixture(params=["record", "block"])
def trace(request: Any) -> Trace:
    torch.manual_seed(0)
    RAN.clear()
    if request.param == "record":
        return lstmtui.record(Mixed(), torch.randn(T, B, H), source=True)
    with lstmtui.recording(source=[Mixed, Gate]) as block:
        Mixed()(torch.randn(T, B, H)).sum().backward()
    return block.trace


def places(trace: Trace) -> list[tuple[str, int]]:
    """Where each number of `RAN` is: the key of its array without what leads a derivative, and t."""
    owner = {}
    for number, layer in enumerate(trace.layers):
        for name in layer.quantities if layer.source is not None else (layer.path,):
            owner[name] = f"{number}/forward/"
    cells = {"read": owner["read"] + "n", "write": owner["write"] + "i"}
    every = []
    for at, (name, t) in enumerate(RAN):
        if name == "part" and ("part", t) not in RAN[at + 1 :]:
            every.append((owner["part"] + "part", t))  # the last of a round has the plain name
        elif name in ("x", "scaled"):
            every += [(owner[name] + name, step) for step in range(T)]
        elif name != "part":
            every.append((cells.get(name) or owner[name] + name, t))
    return every


def bad_at(trace: Trace, spots: list[tuple[str, int]], which: str) -> tuple[str, int]:
    arrays = {key: np.array(array) for key, array in trace.arrays.items()}
    for key, t in spots:
        arrays[key][t, 1, 2] = np.nan
    bad = first_bad_of(Trace(trace.header, arrays), which)
    assert bad is not None
    return f"{bad.layer}/{bad.direction}/{bad.quantity}", bad.t


@pytest.mark.parametrize("which", ["forward", "backward"])
def test_the_order_is_that_in_which_lines_and_modules_ran(trace: Trace, which: str) -> None:
    ran = places(trace)
    random = np.random.default_rng(0)
    for _ in range(80):
        spots = [ran[at] for at in sorted(random.choice(len(ran), 3, replace=False))]
        if which == "backward":
            spots = [("/d".join(key.rsplit("/", 1)), t) for key, t in spots]
            spots = [(key, t) for key, t in spots if key in trace.arrays]
        if spots:
            first = spots[0] if which == "forward" else spots[-1]
            assert bad_at(trace, spots, which) == first
