"""The order in which the layers of a trace were computed, for the trace to keep."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lstmtui.arrays import Array
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.trace.keys import order_key
from lstmtui.trace.order import NEVER


def order_of_layers(
    runs: Sequence[ModuleRun], by_source: Sequence[SourceLayer], steps: int
) -> dict[str, Array]:
    """The order of every layer as `lstmtui.trace.order` says, by keys; empty where it is layer by layer.

    Args:
        runs: of the recurrent modules.
        by_source: the runs of code, which follow them.
        steps: T of the trace.
    """
    each = [order for run in runs for order in [run.order()] * run.layout.num_layers]
    each += [own.order for own in by_source]
    if _are_in_order(each):
        return {}
    # One number after the other, whatever lay between those that are kept.
    numbers = np.unique(np.concatenate([order.ravel() for order in each]))
    numbers = numbers[numbers != NEVER]
    dense = [np.where(order == NEVER, NEVER, np.searchsorted(numbers, order)) for order in each]
    return {order_key(layer): _padded(order, steps) for layer, order in enumerate(dense)}


def _are_in_order(each: Sequence[Array]) -> bool:
    """Whether one layer was through before the next began, each timestep by timestep."""
    kept = [order.T[order.T != NEVER] for order in each]
    kept = [order for order in kept if order.size]
    is_in_time = all((np.diff(order) >= 0).all() for order in kept)
    return is_in_time and all(a.max() <= b.min() for a, b in pairwise(kept))


def _padded(order: Array, steps: int) -> Array:
    """The same for all timesteps of the trace."""
    missing = [(0, 0)] * (order.ndim - 1) + [(0, steps - order.shape[-1])]
    return np.pad(order, missing, constant_values=NEVER)
