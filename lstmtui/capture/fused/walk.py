"""∂L/∂h and ∂L/∂c from the last timestep to the first, one after the other, as a plain loop has them.

Everything that does not depend on the timestep after is worked out for all timesteps at once, so that a
timestep is one product with R and a few more operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lstmtui.capture.fused.derivatives import (
    SegmentRun,
    by_c,
    by_h,
    by_input,
    by_parameters,
    derivatives_of,
    sigmoid_back,
    tanh_back,
)
from lstmtui.capture.fused.finite import finite
from lstmtui.capture.segment import SegmentDerivatives
from lstmtui.models.unroll import States


class _Walked(NamedTuple):
    d_h: Tensor
    """(T, B, units); 0 where not valid."""
    d_c: Tensor | None
    states: States
    """By the states before the first timestep."""


def step_by_step(run: SegmentRun) -> SegmentDerivatives | None:
    """The derivatives of a segment; None where something is not finite."""
    with torch.no_grad():
        walk = _lstm(run) if "c" in run.cell.states else _without_c(run)
    derivatives = derivatives_of(run, walk.d_h, walk.d_c)
    d_x = by_input(run, derivatives)
    if not finite(d_x, walk.d_h, *walk.states):
        return None
    return SegmentDerivatives({"x": d_x, **derivatives}, walk.states, by_parameters(run, derivatives))


class _Steps:
    """What is the same for every cell: ∂L/∂h of each timestep from that of the next one's gates.

    Args:
        run: of the layer.
        kept: what h is multiplied by where it goes on to the next h by itself; None where it does not.
    """

    def __init__(self, run: SegmentRun, kept: Tensor | None) -> None:
        steps, batch, units = run.values["h"].shape
        self._matrix = run.parameters["weight_hh"]
        self._kept = None if kept is None else kept.unbind()
        # Of a timestep more than there are: the first is that of the state before.
        self.d_h = self._matrix.new_zeros((steps + 1, batch, units))
        if run.d_output is not None:
            self.d_h[1:] = run.masked(run.d_output)
        end = run.d_finals[0]
        if end is not None:
            self.d_h[-1] += end
        self.each = self.d_h.unbind()

    def back(self, t: int, recurrent: Tensor) -> None:
        """Add what h before timestep `t` gets from it, given the derivatives of its products with R."""
        self.each[t].addmm_(recurrent, self._matrix)
        if self._kept is not None:
            self.each[t].addcmul_(self._kept[t], self.each[t + 1])


def _lstm(run: SegmentRun) -> _Walked:
    v, ones = run.values, torch.ones_like(run.values["c"])
    squashed, rows = run.squashed_c(), run.cell.rows
    gates = by_c(run, ones)
    keeps = v["f"] if run.valid is None else torch.where(run.valid, v["f"], 1.0)
    to_c = run.masked(tanh_back(v["o"], squashed)).unbind()
    to_o = run.masked(sigmoid_back(squashed, v["o"])).unbind()
    # c before gets its share by f; the gates, of which o comes last, get theirs beside it.
    from_c = torch.stack([keeps, *(run.masked(gates[row + "_pre"]) for row in rows[:-1])], 2)
    shares = from_c.new_empty((*ones.shape[:2], len(rows) + 1, ones.shape[-1]))
    of_c, of_o, carried = shares[:, :, :-1].unbind(), shares[:, :, -1].unbind(), shares[:, :, 0].unbind()
    recurrent = shares[:, :, 1:].flatten(2).unbind() if len(shares[0]) == 1 else None
    factors, d_c = from_c.unbind(), torch.empty_like(ones)
    each, wide = d_c.unbind(), d_c.unsqueeze(2).unbind()
    steps = _Steps(run, None if run.valid is None else (~run.valid).to(ones.dtype))
    end = run.d_finals[1]
    later = torch.zeros_like(ones[0]) if end is None else end
    for t in reversed(range(len(ones))):
        d_product = run.by_product(steps.each[t + 1])
        torch.addcmul(later, d_product, to_c[t], out=each[t])
        torch.mul(wide[t], factors[t], out=of_c[t])
        torch.mul(d_product, to_o[t], out=of_o[t])
        steps.back(t, shares[t, :, 1:].flatten(1) if recurrent is None else recurrent[t])
        later = carried[t]
    return _Walked(run.masked(steps.d_h[1:]), run.masked(d_c), (steps.d_h[0], later.clone()))


def _without_c(run: SegmentRun) -> _Walked:
    v, rows = run.values, run.cell.rows
    shares: Sequence[Tensor]
    if run.cell.name == "gru":
        gates = by_h(run, torch.ones_like(v["h"]))
        shares = [gates["r_pre"], gates["z_pre"], gates["n_pre"] * v["r"]]
        kept: Tensor | None = v["z"] if run.valid is None else torch.where(run.valid, v["z"], 1.0)
    else:
        shares = [by_h(run, torch.ones_like(v["h"]))["h_pre"]]
        kept = None if run.valid is None else (~run.valid).to(v["h"].dtype)
    factors = torch.stack([run.masked(share) for share in shares], 2).unbind()
    steps = _Steps(run, kept)
    wide, recurrent = (
        steps.d_h.unsqueeze(2).unbind(),
        v["h"].new_empty(len(steps.d_h[0]), len(rows), v["h"].shape[-1]),
    )
    flat = recurrent.flatten(1)
    for t in reversed(range(len(v["h"]))):
        torch.mul(wide[t + 1], factors[t], out=recurrent)
        steps.back(t, flat)
    return _Walked(run.masked(steps.d_h[1:]), None, (steps.d_h[0],))
