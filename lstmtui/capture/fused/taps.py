"""∂L/∂h and ∂L/∂c of all timesteps at once, from what a tapped kernel gives back.

What h gets through the next timestep's gates is the kernel's own. What a state gets from itself, c by the
forget gate and h of a GRU by the update gate, is a linear recurrence over time, solved from there. Its terms
may cancel: then what rounding has left of them is all that it gives, where a loop, whose every step feeds
back into the next, goes on to shrink. So the recurrence is also solved for the sizes of its terms, and what
comes of either is compared.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from lstmtui.capture.fused.derivatives import (
    Derivatives,
    SegmentRun,
    by_c,
    by_h,
    by_parameters,
    tanh_back,
)
from lstmtui.capture.fused.equations import underflow
from lstmtui.capture.fused.finite import finite, total_of
from lstmtui.capture.fused.kernel import Gradients
from lstmtui.capture.fused.recurrence import backward_in_time, excess, suspicion, with_sizes
from lstmtui.capture.segment import SegmentDerivatives


def from_taps(run: SegmentRun, kernel: Gradients) -> SegmentDerivatives | None:
    """The derivatives of a segment; None where something is not finite, underflows, or cancels too far."""
    results = _solved(run, kernel)
    tensors = (kernel.x, kernel.tap, *kernel.states)
    numbers = torch.stack([total_of(*tensors), results.suspicion, underflow(run.values)])
    total, suspicious, underflows = numbers.tolist()
    if underflows > 0 or not (isfinite(total) or finite(*tensors)):
        return None
    if not (suspicious <= 0 or _is_right(run, results)):
        return None
    parameters = kernel.parameters or by_parameters(run, results.derivatives)
    return SegmentDerivatives({"x": kernel.x.contiguous(), **results.derivatives}, kernel.states, parameters)


class _Solved(NamedTuple):
    derivatives: Derivatives
    """Total derivatives of every quantity of the cell, (T, B, units); 0 where not valid."""
    suspicion: Tensor
    """Above 0 where they may not be right; see `recurrence.suspicion`."""
    sizes: Tensor | None = None
    """What the derivative of c, or of h of a GRU, would be if the sizes of all its terms were added up."""


def _is_right(run: SegmentRun, results: _Solved) -> bool:
    """A look at every derivative at every timestep."""
    if results.sizes is None:
        return True
    of_sizes = by_c(run, results.sizes) if "c" in run.cell.states else by_h(run, results.sizes)
    return bool(excess(of_sizes, {n: results.derivatives[n] for n in of_sizes}) <= 0)


def _solved(run: SegmentRun, kernel: Gradients) -> _Solved:
    if run.cell.name == "gru":
        return _gru(run, kernel)
    d_h = _plain_state(run, kernel.tap)
    if "c" not in run.cell.states:
        return _Solved(by_h(run, d_h), d_h.new_zeros(()))
    own = tanh_back(run.by_product(d_h) * run.values["o"], run.squashed_c())
    d_c, sizes = _through_time(run, run.values["f"], own, "c")
    return _Solved({**by_h(run, d_h), **by_c(run, d_c)}, suspicion(sizes, d_c), sizes)


def _gru(run: SegmentRun, kernel: Gradients) -> _Solved:
    units = run.values["h"].shape[-1]
    product = kernel.tap[..., units:] * run.values["r"]
    rows = run.parameters["weight_hh"][2 * units :]
    recurrent = (product.flatten(0, 1) @ rows).view_as(product).add_(kernel.tap[..., :units])
    d_h, sizes = _through_time(run, run.values["z"], _from_next(run, recurrent), "h")
    return _Solved(by_h(run, d_h), suspicion(sizes, d_h), sizes)


def _through_time(run: SegmentRun, coefficient: Tensor, own: Tensor, state: str) -> tuple[Tensor, Tensor]:
    """The total derivative of a state that is multiplied by `coefficient` on its way to the next.

    Returns:
        It, and what it would be if the sizes of all terms were added up.
    """
    end = run.d_finals[run.cell.states.index(state)]
    if run.valid is not None:
        coefficient, own = torch.where(run.valid, coefficient, 1.0), run.masked(own)
    total, sizes = backward_in_time(coefficient, with_sizes(own), None if end is None else with_sizes(end))
    return run.masked(total), run.masked(sizes)


def _from_next(run: SegmentRun, recurrent: Tensor) -> Tensor:
    """∂L/∂h by what follows the layer and by what the next timestep's gates get from it."""
    total = torch.empty_like(run.values["h"])
    if run.d_output is None:
        total[:-1] = recurrent[1:]
        total[-1] = 0.0
    else:
        torch.add(run.d_output[:-1], recurrent[1:], out=total[:-1])
        total[-1] = run.d_output[-1]
    return total


def _plain_state(run: SegmentRun, recurrent: Tensor) -> Tensor:
    """∂L/∂h where h reaches the next timestep through the gates alone."""
    total = run.masked(_from_next(run, recurrent))
    end = run.d_finals[0]
    if end is None:
        return total
    if run.valid is None:
        total[-1] += end
        return total
    # The last state is that of each sequence's last timestep; one without any here hands it on unchanged.
    steps = len(total)
    ahead = run.valid.flip(0).int().argmax(0).squeeze(-1)
    sequences = torch.arange(total.shape[1], device=total.device)
    some = run.valid.any(0)
    total[steps - 1 - ahead, sequences] += torch.where(some, end, 0.0)
    return total
