"""The first layer, timestep, unit and quantity in which two runs differ that should be the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.analysis.divergence import Divergence, first_divergence
from lstmtui.analysis.laws import Place
from lstmtui.analysis.layer_names import layer_name
from lstmtui.arrays import Array
from lstmtui.capture.laws.influence import chosen
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.subject import Subject
from lstmtui.capture.record import record
from lstmtui.errors import Cancelled, UserError
from lstmtui.trace import Trace


class _Caller(nn.Module):
    """A model and a call of it, as one module that can be recorded."""

    def __init__(self, model: nn.Module, do: Callable[[], Any]) -> None:
        super().__init__()
        self.model, self._do = model, do

    def forward(self) -> Any:
        return self._do()


def recorded(
    subject: Subject, do: Callable[[], Any], before: Callable[[], None] | None = None
) -> Trace | None:
    """What a few calls of the model did inside, recorded as one run; None where it cannot be recorded.

    Args:
        subject: whose model it is.
        do: calls it.
        before: what is done before that, and not recorded.
    """
    if not isinstance(subject.model, nn.Module):
        return None
    try:
        with warnings.catch_warnings(), subject.fresh():
            warnings.simplefilter("ignore")
            if before is not None:
                before()
            zero = torch.zeros((), requires_grad=True)
            return record(_Caller(subject.model, do), (), loss=lambda result: zero * 1.0)
    except Cancelled:
        raise
    except Exception:
        return None


def recorded_call(subject: Subject, inputs: Inputs) -> Trace | None:
    """One call of the model, recorded."""
    return recorded(subject, lambda: subject.call(inputs).tensors)


def first_place(
    subject: Subject, pair: Sequence[Trace | None], within: Array | None = None
) -> tuple[Place, Divergence] | None:
    """Where two recorded runs first part, or None where they do not, or cannot be compared.

    Args:
        subject: whose runs they are.
        pair: the two of them.
        within: int (B,): how many timesteps of each sequence are compared.
    """
    a, b = pair
    if a is None or b is None:
        return None
    if within is not None and len(within) != a.batch:
        return None
    try:
        apart = first_divergence(a, b, subject.tolerance / 1000, within)
    except UserError:
        return None
    if apart is None:
        return None
    name = "" if apart.layer is None else layer_path(a, apart.layer)
    place = Place(apart.t, apart.layer, name, apart.direction, apart.quantity, apart.unit, apart.batch)
    return place, apart


def layer_path(trace: Trace, layer: int) -> str:
    """A layer's name by its path in the user's model."""
    name = layer_name(trace, layer) or trace.layers[layer].path
    return "" if name == "model" else name.removeprefix("model.").removeprefix("model ")


def output_place(
    names: list[str], a: list[Tensor], b: list[Tensor], of: Tensor, tolerance: float
) -> Place | None:
    """The first (t, sequence, unit) in which what comes out differs.

    Args:
        names: of the outputs.
        a: each (T, B, units), in one run.
        b: in the other.
        of: bool (T, B): which places count.
        tolerance: relative to the largest value, or 1.
    """
    for name, x, y in zip(names, a, b, strict=True):
        if x.shape != y.shape:
            return Place(None, None, "", "", name)
        scale = max(1.0, float(x.abs().nan_to_num(0, 0, 0).max()))
        apart = ~((x - y).abs() <= tolerance * scale)
        apart &= ~(torch.isnan(x) & torch.isnan(y))
        apart &= chosen(of, x).unsqueeze(-1)
        if apart.any():
            t, batch, unit = (int(i) for i in apart.nonzero()[0])
            has_time, has_batch = x.shape[0] > 1 or len(of) == 1, x.shape[1] > 1 or of.shape[1] == 1
            return Place(t if has_time else None, None, "", "", name, unit, batch if has_batch else None)
    return None


def only_sequence(batch: int, index: int, steps: int) -> Array:
    """`within` for one sequence alone."""
    within = np.zeros(batch, dtype=np.int64)
    within[index] = steps
    return within
