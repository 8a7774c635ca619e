"""y of an ONNX graph: one of its outputs, brought into the time of the recurrent layer that ran last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstmtui.arrays import Array
from lstmtui.models.onnx.graph_request import GraphAnswer
from lstmtui.scenario import GraphSpec


def graph_output(
    answer: GraphAnswer, spec: GraphSpec, arrays: Sequence[Array], sizes: tuple[int, int]
) -> tuple[Array | None, bool]:
    """The graph's output over the timesteps of the node that ran last; None where it has none there.

    Args:
        answer: what the graph did.
        spec: of the model.
        arrays: the output in each call.
        sizes: T and B that it has at most.

    Returns:
        as `output_over_time`.
    """
    last, calls = answer.runs[-1], range(len(spec.request.pieces))
    own = [[len(r.arrays["X"]) for r in answer.runs if (r.layer, r.call) == (last.layer, n)] for n in calls]
    batch = last.arrays["X"].shape[1]
    # All of its runs in a call go on from one another, or each is of the same time.
    choices = [[sum(lengths) for lengths in own], [lengths[-1] if lengths else 0 for lengths in own]]
    choices = [steps for steps in choices if sum(steps) <= sizes[0]]
    choices.sort(key=lambda steps: not has_time(arrays, steps))
    if not arrays or not choices or batch > sizes[1]:
        return None, False
    return output_over_time(arrays, choices[0], batch, batch_first=spec.batch_first)


def output_over_time(
    arrays: Sequence[Array], steps: Sequence[int], batch: int, *, batch_first: bool
) -> tuple[Array | None, bool]:
    """The output of every call, one after another, as (T, B, units).

    Args:
        arrays: the output in each call of the graph.
        steps: how many timesteps the layer had in each.
        batch: B.
        batch_first: whether the graph's input has the sequences before the timesteps; where an axis may be
            either, it is as there.

    Returns:
        y, None where an axis of B is missing, or the calls do not fit each other; and whether it has one
        value for all timesteps of a call.
    """
    parts, is_held = [], False
    for array, own in zip(arrays, steps, strict=True):
        part = _of_call(array, own, batch, batch_first=batch_first)
        if part is None:
            return None, False
        if len(part) < own:
            part, is_held = np.repeat(part, own, axis=0), True
        parts.append(part)
    parts = [part for part in parts if len(part)]
    if not parts or len({part.shape[2] for part in parts}) > 1:
        return None, False
    return np.concatenate(parts), is_held


def has_time(arrays: Sequence[Array], steps: Sequence[int]) -> bool:
    """Whether the output of each call has an axis of so many timesteps."""
    return all(own == 1 or own in array.shape for array, own in zip(arrays, steps, strict=True))


def _of_call(array: Array, steps: int, batch: int, *, batch_first: bool) -> Array | None:
    """One call's output as (T, B, units), or (1, B, units) where it has no axis of time."""
    times = [axis for axis, size in enumerate(array.shape) if size == steps] if steps > 1 else []
    batches = [axis for axis, size in enumerate(array.shape) if size == batch] if batch > 1 else []
    if batch > 1 and not batches:
        return None
    if not times:
        moved = np.moveaxis(array, batches[0], 0) if batches else array[None]
        return moved.reshape(1, batch, -1)
    if not batches:
        return np.moveaxis(array, times[0], 0).reshape(steps, batch, -1)
    pairs = [(t, b) for t in times for b in batches if t != b]
    if not pairs:  # One axis that may be either: where B is T, there is no telling, and B must be somewhere.
        return np.moveaxis(array, batches[0], 0).reshape(1, batch, -1)
    time, own = min(pairs, key=lambda pair: ((pair[0] > pair[1]) != batch_first, pair))
    rest = [axis for axis in range(array.ndim) if axis not in (time, own)]
    return array.transpose(time, own, *rest).reshape(steps, batch, -1)
