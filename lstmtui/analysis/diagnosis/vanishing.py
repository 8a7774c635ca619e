"""Verdicts on gradients that do not reach back to the first timestep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.followed_state import followed_state
from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import (
    BAD,
    FEWEST_STEPS,
    FINE,
    LOOK,
    Verdict,
    not_measured,
    too_short,
)
from lstmtui.analysis.diagnosis.way_back import WayBack, unfed_ways, ways_back
from lstmtui.analysis.reach import gradient_reach
from lstmtui.analysis.stacks import stacks
from lstmtui.arrays import Array
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.view import View
from lstmtui.wording import counted

VANISHING_LOOK, VANISHING_BAD = 1e-3, 1e-7
"""‖∂L/∂c‖ over the far tenth of the way against the largest on the way. A parameter's gradient is a sum over
timesteps; what is below 1e-7 of the largest addend is lost in the rounding of float32. Whether a network has
to look back so far only its task can say (Pascanu, Mikolov & Bengio 2013; Hochreiter 1991)."""


LEARNED = 0.2
"""A network that remembers by saturated units, or has a task of the last few timesteps, has no gradient from
the far end when it has learned it. A cross entropy or a mean square of a standardized target below this is
such a network's more often than not: then what has vanished is worth a look and no more."""
_EULER = 1e-6
"""So near to each other are two sums of the same terms in float32, relative to those."""


def vanishing_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """The verdict `vanishing`, of the middle sequence, from where the loss begins to read the states."""
    place, state = (layer, direction), followed_state(trace, layer, direction)
    if not state:
        yield not_measured("vanishing", *place, "nothing is carried from one timestep to the next")
        return
    if "d" + state not in trace.quantities(layer):
        why = trace.layers[layer].absent
        missing = why or trace.absent(layer, state) or "not in the trace"
        text = f"∂L/∂{state} is not there to be judged: {missing}"
        if why and not _is_absent_throughout(trace):
            yield Verdict("vanishing", LOOK, *place, "d" + state, np.nan, VANISHING_LOOK, text)
        else:
            yield not_measured("vanishing", *place, text, "d" + state)
        return
    steps = int(lengths_of(trace, layer).max())
    if steps < FEWEST_STEPS:
        yield not_measured("vanishing", *place, too_short(steps), "d" + state)
        return
    if not trace.norms("d" + state, *place).any():
        text = f"∂L/∂{state} is 0 throughout: the loss does not depend on it, or what reads it is saturated"
        next_ = then(selecting(trace, *place), f"watch norm(d{state})")
        yield Verdict("vanishing", BAD, *place, "d" + state, 0.0, VANISHING_LOOK, text, next=next_)
        return
    left = sorted(_lefts(trace, layer, direction, state))
    if left:
        rest, batch = left[len(left) // 2]
        way = next(way for way in _ways(trace, layer, direction) if way.batch == batch)
        yield _verdict(trace, layer, direction, state, rest, way)
    else:
        why = _why_not(list(_ways(trace, layer, direction)), direction, state)
        yield not_measured("vanishing", *place, why, "d" + state)


def _ways(trace: Trace, layer: int, direction: str) -> Iterator[WayBack]:
    """From where the gradient begins where it is not known what is fed from above."""
    try:
        yield from ways_back(trace, layer, direction)
    except UserError:
        yield from unfed_ways(trace, layer, direction)


def _lefts(trace: Trace, layer: int, direction: str, state: str) -> list[tuple[float, int]]:
    """What is left of the gradient of each sequence that can be judged, with its number."""
    every = ((_left(way, state), way.batch) for way in _ways(trace, layer, direction))
    return [(left, batch) for left, batch in every if np.isfinite(left)]


def _is_absent_throughout(trace: Trace) -> bool:
    return all(layer.absent for layer in trace.layers)


def _back(way: WayBack, state: str) -> Array:
    """The norms from where the states are read, as far as the way goes."""
    return way.norms[state][way.reads :][: way.cut(state)]


def _left(way: WayBack, state: str) -> float:
    """The largest norm of the last tenth over the largest of all; NaN of a way too short or not finite."""
    back = _back(way, state)
    if len(back) < FEWEST_STEPS or not np.isfinite(back).all() or not back.any():
        return np.nan
    return float(back[-(len(back) // 10) :].max() / back.max())


def _carrier(trace: Trace, layer: int) -> int | None:
    """Another layer of the same stack through which the gradient does reach the first timestep."""
    stack = next((stack for stack in stacks(trace) if layer in stack), ())
    for other in (other for other in stack if other != layer):
        for direction in trace.layers[other].directions:
            state = trace.cell(other).memory
            if "d" + state not in trace.quantities(other):
                continue
            left = sorted(_lefts(trace, other, direction, state))
            if left and left[len(left) // 2][0] > VANISHING_LOOK:
                return other
    return None


def _is_learned(trace: Trace) -> bool:
    """Whether the loss is as small as that of a task that has been learned."""
    is_of_targets = trace.header.loss_kind not in ("sum", "last_hidden")
    is_small = trace.header.loss_is_known and 0 <= trace.loss <= LEARNED
    return is_of_targets and is_small and not _is_weighted_sum(trace)


def _is_weighted_sum(trace: Trace) -> bool:
    """Whether the loss is one of y or of the last h, which says nothing of a task: by Euler's theorem.

    Then the derivatives times what they are of come to the loss itself.
    """
    arrays, last = trace.arrays, len(trace.layers) - 1
    if {"y", "dy"} <= set(arrays) and np.any(arrays["dy"]):
        terms = [_products(arrays["dy"], arrays["y"])]
    elif trace.layers[last].source is None and "dh" in trace.quantities(last):
        ends = lengths_of(trace, last).astype(np.int64) - 1, np.arange(trace.batch)
        terms = [
            _products(*(trace.values(q, last, side)[0 if side == "backward" else ends] for q in ("dh", "h")))
            for side in trace.layers[last].directions
        ]
    else:
        return False
    total, size = sum(map(np.sum, terms)), sum(np.abs(each).sum() for each in terms)
    return bool(abs(total - trace.loss) <= _EULER * size)


def _products(derivatives: Array, values: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(derivatives, np.float64) * np.asarray(values, np.float64)


def _why_not(ways: list[WayBack], direction: str, state: str) -> str:
    """Why no sequence could be judged."""
    longest = max(
        (way for way in ways if way.fed.any()), key=lambda way: way.length - way.reads, default=None
    )
    if longest is not None and (cut := longest.cut(state)) is not None and cut < FEWEST_STEPS:
        t = longest.time(longest.reads + cut - 1, direction)
        return (
            f"the states are reset or detached before t={t}, and the gradient goes back through "
            f"{counted(cut, 'timestep')}"
        )
    steps = longest.length - longest.reads if longest is not None else FEWEST_STEPS
    if longest is None or steps >= FEWEST_STEPS:
        return "the gradient is not finite"
    t = longest.time(longest.reads, direction)
    seen = counted(steps, "timestep")
    return f"the loss reads it at t={t}, where this direction has seen {seen}, and no later"


def _verdict(trace: Trace, layer: int, direction: str, state: str, left: float, way: WayBack) -> Verdict:
    how = BAD if left <= VANISHING_BAD else LOOK if left <= VANISHING_LOOK else FINE
    name = f"‖∂L/∂{state}‖"
    text = f"{UNICODE.number(left)} of {name} is left at the far end"
    back, cut = _back(way, state), way.cut(state)
    far = len(back) - len(back) // 10
    reach = gradient_reach(View.of(trace, layer, direction, way.batch), state=state)
    if np.isfinite(reach.steps):
        steps = counted(round(reach.steps), "timestep")
        text += f"; from t={reach.start} it falls to 1/e within {steps}"
    elif way.fed[way.reads :][: len(back)][far:].max() >= back[far:].max() / 2:
        text += ", where it is fed from above; what the recurrence keeps is not to be seen by it"
    elif not np.isnan(reach.steps):
        text += f"; from t={reach.start} it never falls to 1/e"
    if cut is not None:
        t = way.time(way.reads + cut - 1, direction)
        text += f"; before t={t} the states are reset or detached"
    text += f" (sequence {way.batch})" if trace.batch > 1 else ""
    carrier = _carrier(trace, layer) if how == BAD else None
    if carrier is not None:
        how, text = LOOK, f"{text}; in layer {carrier} of the stack it reaches back"
    elif how == BAD and _is_learned(trace):
        how, text = LOOK, f"{text}; a loss of {UNICODE.number(trace.loss)} has been learned without it"
    next_ = ""
    if how != FINE:
        top = float(trace.norms("d" + state, layer, direction)[reach.start, way.batch])
        goes = selecting(trace, layer, direction, batch=way.batch)
        next_ = then(goes, f"break when norm(d{state}) < {top * VANISHING_LOOK:.2g}")
    return Verdict("vanishing", how, layer, direction, "d" + state, left, VANISHING_LOOK, text, next=next_)
