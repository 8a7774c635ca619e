"""A verdict on where states come from, and what happens to them between timesteps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.selecting import selecting
from lstmtui.analysis.diagnosis.verdict import BAD, FINE, LOOK, Verdict, not_measured
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.trace.state_origin import StateOrigin

STATE_LOOK = 1.0
"""The share of the calls of a layer before which its states were taken out of the graph."""


def state_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """state: what the states of a layer begin from, and what its model does to them in between."""
    described, place = trace.layers[layer], (layer, direction)
    if described.source is not None and not described.source.states:
        return
    origin = described.states_from.get(direction)
    if origin is None:
        yield not_measured("state", *place, "where its states come from was not recorded")
        return
    detached = sum(change.count for change in origin.changes if change.kind == "detached")
    is_attached = any(change.kind == "attached" for change in origin.changes)
    # The rounds of code are its timesteps, whether they are calls or not.
    calls = described.calls if described.source is None else int(lengths_of(trace, layer).max())
    share = detached / max(1, calls - 1)
    how, text = FINE, origin.sentence(described.calls)
    reset = sum(change.count for change in origin.changes if change.kind == "reset")
    if origin.kind == "earlier graph" or is_attached:
        how, text = (
            BAD,
            text + ": backward goes through every earlier call, or fails; detach it between calls",
        )
    elif described.calls > 2 and reset == described.calls - 1 and _begins_anew(trace, *place, origin):
        what = "timestep" if described.calls == trace.steps else "call"
        how, text = BAD, text + f": every {what} begins from zeros, and nothing is remembered"
    elif origin.kind == "drawn":
        how, text = LOOK, text + ": the same input gives another output each time"
    elif share >= STATE_LOOK and calls == trace.steps > 2:
        how, text = LOOK, text + ": no gradient passes from a timestep to the one before; it does not vanish"
    next_ = "" if how == FINE else selecting(trace, layer, direction)
    yield Verdict("state", how, *place, "", share, STATE_LOOK, text, next=next_)


def _begins_anew(trace: Trace, layer: int, direction: str, origin: StateOrigin) -> bool:
    """Whether the calls after the first began from zeros, in every sequence; of long ones, the first few."""
    resets = [t for change in origin.changes if change.kind == "reset" for t in change.timesteps]
    at = slice(1, None) if trace.layers[layer].calls == trace.steps else resets
    states = [trace.arrays.get(array_key("before/" + s, layer, direction)) for s in trace.cell(layer).states]
    return all(state is not None and not np.asarray(state[at]).any() for state in states)
