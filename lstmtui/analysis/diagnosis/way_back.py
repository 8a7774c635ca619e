"""The gradient's way back through the time of each sequence, and where it is fed from above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.diagnosis.followed_state import with_derivatives
from lstmtui.analysis.fed_gradient import fed_gradient
from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of

READ = 1e-3
"""The way begins where this part of all that is fed from above has come: what trickles in before, such as
the little that a layer above hands back through all of its own time, is no gradient that could be kept."""

_TINY = 1e-20
"""A recurrence does not make 0 of more than this in one timestep."""


@dataclass(frozen=True, eq=False)
class WayBack:
    """The gradient of one sequence, from the last timestep in the layer's own time to the first."""

    batch: int
    norms: dict[str, Array]
    """‖∂L/∂state‖ of each state, (timesteps,)."""
    fed: Array
    """The norm of what is fed from above, (timesteps,)."""
    length: int
    is_cut: bool = False
    """Whether the model resets its states, or takes them out of the graph, somewhere in between."""

    @property
    def reads(self) -> int:
        """Where the loss begins to read the states: how many timesteps of the way come before."""
        return _reached(self.fed, READ)

    def cut(self, state: str) -> int | None:
        """How many timesteps after `reads` the way ends at such a place; None where it goes on.

        There the derivative is 0 at once. What dies out is tiny before it is 0.
        """
        back = self.norms[state][self.reads :]
        ends = np.flatnonzero((back[1:] == 0) & (back[:-1] > _TINY))
        return int(ends[0]) + 1 if self.is_cut and len(ends) else None

    def time(self, at: int, direction: str) -> int:
        """The timestep at a place of the way."""
        return at if direction == "backward" else self.length - 1 - at


def ways_back(trace: Trace, layer: int, direction: str) -> Iterator[WayBack]:
    """The way back of each sequence that the layer has read.

    Raises:
        UserError: as `fed_gradient`.
    """
    yield from _ways(trace, layer, direction, fed_gradient(trace, layer, direction))


def unfed_ways(trace: Trace, layer: int, direction: str) -> Iterator[WayBack]:
    """The ways back if it is not known what comes from above: as if all came where the gradient begins."""
    total = sum(trace.norms("d" + state, layer, direction) for state in with_derivatives(trace, layer))
    order = slice(None) if direction == "backward" else slice(None, None, -1)
    begun = np.cumsum(np.asarray(total)[order] != 0, axis=0)[order] == 1
    yield from _ways(trace, layer, direction, np.where(begun, total, 0.0))


def _ways(trace: Trace, layer: int, direction: str, fed: Array) -> Iterator[WayBack]:
    norms = {s: trace.norms("d" + s, layer, direction) for s in with_derivatives(trace, layer)}
    order = slice(None) if direction == "backward" else slice(None, None, -1)
    origin = trace.layers[layer].states_from.get(direction)
    is_cut = origin is not None and any(change.kind in ("reset", "detached") for change in origin.changes)
    for batch, length in enumerate(lengths_of(trace, layer).tolist()):
        if length:
            own = {state: values[:length, batch][order] for state, values in norms.items()}
            yield WayBack(batch, own, fed[:length, batch][order], length, is_cut)


def _reached(values: Array, share: float) -> int:
    """Where the running sum first has this share of what it comes to, as far as that is finite."""
    finite = np.isfinite(values)
    stop = len(values) if finite.all() else int(finite.argmin())
    sums = np.cumsum(values[:stop])
    return int(np.searchsorted(sums, share * sums[-1])) if stop and sums[-1] > 0 else 0
