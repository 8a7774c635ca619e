"""Small recorded runs whose weights are changed in a known way, and their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from synthetic import editable

import lstmtui
from lstmtui.analysis.diagnosis import FAMILIES, Verdict
from lstmtui.analysis.diagnosis.finite import finite_verdicts
from lstmtui.trace import Trace


def made(
    cell: str,
    *,
    steps: int = 40,
    batch: int = 1,
    x: torch.Tensor | None = None,
    lengths: Sequence[int] | None = None,
    loss: Callable[[Any], torch.Tensor] | None = None,
    bidirectional: bool = False,
    **changes: Callable[[torch.Tensor], torch.Tensor],
) -> Trace:
    """Eight units, three inputs; the loss is of every timestep. `changes` are of parameters by name."""
    torch.manual_seed(0)
    layer = lstmtui.Recurrent(cell, 3, 8, bidirectional=bidirectional)
    with torch.no_grad():
        for name, change in changes.items():
            parameter = getattr(layer, name)
            parameter.copy_(change(parameter))
    values = torch.randn(steps, batch, 3) if x is None else x
    given = None if lengths is None else torch.tensor(lengths)
    loss = loss or (lambda result: (result[0] ** 2).sum())
    trace = lstmtui.record(layer, values, loss=loss, lengths=given)
    return editable(trace, {key: array.copy() for key, array in trace.arrays.items()})


def verdicts(trace: Trace) -> list[Verdict]:
    """Every verdict, worked out again each time, as these traces are changed by the tests."""
    found = list(finite_verdicts(trace))
    for direction in trace.layers[0].directions:
        for family in FAMILIES:
            found += family(trace, 0, direction)
    return found


def only(trace: Trace, name: str, quantity: str = "", direction: str = "forward") -> Verdict:
    """The one verdict of a name, on a quantity and in a direction."""
    named = [v for v in verdicts(trace) if v.name == name and v.direction in ("", direction)]
    (verdict,) = [v for v in named if quantity in ("", v.quantity)]
    return verdict
