"""What-ifs within a run: values that replace those of the equations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lstmtui.trace.edits import Edit


class WhatIfValues:
    """The what-ifs of one layer and direction, as an observer of its run.

    Args:
        edits: all of the same layer and direction; where two meet, the later one counts.
        steps: T.
        direction: "backward" has timesteps in the order the cell sees them, from the end.
    """

    def __init__(self, edits: Sequence[Edit], steps: int, direction: str) -> None:
        self._spans: dict[str, list[tuple[int, int, Edit]]] = {}
        for edit in edits:
            start, stop = edit.start, edit.stop
            if direction == "backward":
                start, stop = steps - 1 - stop, steps - 1 - start
            self._spans.setdefault(edit.quantity, []).append((start, stop, edit))
        self._made: dict[tuple[Edit, ...], tuple[Tensor, Tensor]] = {}

    @property
    def first(self) -> int | None:
        """The first timestep that is changed, in the order the cell sees time; None where none is."""
        return min((start for spans in self._spans.values() for start, _, _ in spans), default=None)

    def __call__(self, t: int, quantity: str, value: Tensor) -> Tensor:
        """The value, (B, units), with what is changed at t put in."""
        spans = self._spans.get(quantity)
        if not spans:
            return value
        active = tuple(edit for start, stop, edit in spans if start <= t <= stop)
        if not active:
            return value
        if active not in self._made:
            self._made[active] = _mask_and_fill(active, value)
        mask, fill = self._made[active]
        return torch.where(mask, fill, value)


def what_if_over_time(value: Tensor, edits: Sequence[Edit]) -> Tensor:
    """A whole (T, B, units) with what is changed put in, differentiable by `value`."""
    if not edits:
        return value
    mask, fill = torch.zeros_like(value, dtype=torch.bool), torch.zeros_like(value)
    for edit in edits:
        place = (slice(edit.start, edit.stop + 1), edit.batch, _units(edit))
        mask[place] = True
        fill[place] = rounded(edit.value, value)
    return torch.where(mask, fill, value)


def rounded(value: float, like: Tensor) -> Tensor:
    """The number in the dtype of a tensor; one that is too large for it is infinite."""
    return torch.tensor(value, dtype=torch.float64, device="cpu").to(like)


def _mask_and_fill(edits: Sequence[Edit], value: Tensor) -> tuple[Tensor, Tensor]:
    mask, fill = torch.zeros_like(value, dtype=torch.bool), torch.zeros_like(value).detach()
    for edit in edits:
        mask[edit.batch, _units(edit)] = True
        fill[edit.batch, _units(edit)] = rounded(edit.value, value)
    return mask, fill


def _units(edit: Edit) -> int | slice:
    return slice(None) if edit.unit is None else edit.unit
