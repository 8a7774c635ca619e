"""A gradient split by the routes it came along, and why it survived in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.arrays import Vector, norm
from lstmtui.cells.notation import UNICODE, Notation, percent
from lstmtui.wording import listed

FROM_ABOVE = "from above"
"""The route of everything outside of the layer's own recurrence."""

_GREW, _SURVIVED, _SHRANK = 1.1, 0.9, 0.1
"""From which part of the later norm on a gradient is said to have done so; below the last it died."""


@dataclass(frozen=True, eq=False)
class Route:
    """One way along which a state's gradient comes back."""

    name: str
    """carry f, carry z, output gate, peephole i, f or o, R_f …, R; from above: see `Split`."""
    values: Vector
    """What comes along it, (units,)."""


@dataclass(frozen=True, eq=False)
class Split:
    """The total derivative by one state of the timestep before the cursor, and the routes that add up to it.

    "from above" is what the other routes leave: what the loss, the layer above or whatever else reads
    the state brings, and less than that where a what-if cuts a route. It is left out where nothing
    outside of the recurrence reads the state and there is nothing but rounding to report.
    """

    state: str
    """h or c."""
    t: int
    """The timestep of the state: t − 1 of the cursor, or t + 1 in the backward direction."""
    whole: Vector
    """As recorded, (units,)."""
    later: Vector
    """The derivative by the same state at the cursor, (units,)."""
    later_t: int
    routes: tuple[Route, ...]

    @property
    def norms(self) -> tuple[float, ...]:
        """The L2 norm of each route."""
        return tuple(float(norm(route.values)) for route in self.routes)

    @property
    def shares(self) -> tuple[float, ...]:
        """How much of the whole each route makes up, along the whole's own direction.

        They add up to 1; a route against the others is negative. NaN where the whole is 0 or not finite.
        """
        with np.errstate(all="ignore"):
            scale = np.abs(self.whole).max(initial=0.0)  # so that squares of tiny gradients are not 0
            along = self.whole / scale
            return tuple(float((r.values / scale) @ along / (along @ along)) for r in self.routes)

    @property
    def ratio(self) -> float:
        """‖whole‖ over the norm at the cursor; inf where the gradient starts here, NaN where both are 0."""
        with np.errstate(all="ignore"):
            return float(np.divide(norm(self.whole), norm(self.later)))


def survival(split: Split, notation: Notation = UNICODE) -> str:
    """Why the gradient survived or died on its way back by one timestep: the largest route, its share."""
    name = _derivative(split.state, split.t, notation)
    later = _derivative(split.state, split.later_t, notation)
    if not np.isfinite(split.whole).all() or not all(np.isfinite(r.values).all() for r in split.routes):
        broken = [r.name for r in split.routes if not np.isfinite(r.values).all()]
        # What the others leave is never finite where one of them is not.
        by = [way for way in broken if way != FROM_ABOVE] or broken
        return f"{name} is not finite, by {listed(by)}"
    if not split.whole.any():
        reason = "the routes cancel" if any(split.norms) else "no route brings anything"
        return f"{name} is 0: {reason}"
    share, largest = max(zip(split.shares, split.routes, strict=True), key=lambda pair: pair[0])
    way = largest.name if largest.name == FROM_ABOVE else f"by {largest.name}"
    how = f"{percent(share)} of it came {way}"
    if not split.later.any():
        return f"{name} starts here, as {later} is 0; {how}"
    ratio = split.ratio
    verdict = "grew" if ratio >= _GREW else "survived" if ratio >= _SURVIVED else "shrank"
    verdict = verdict if ratio >= _SHRANK else "died"
    return f"{name} {verdict}: its norm is {notation.number(ratio)} of that of {later}; {how}"


def _derivative(state: str, t: int, notation: Notation) -> str:
    """∂L/∂c₁₂"""
    sign = "d" if notation.ascii else "∂"
    return f"{sign}L/{sign}{notation.at(state, t)}"


def total(routes: tuple[Route, ...], like: Vector) -> Vector:
    """The sum of the routes, shaped as `like` also where there are none."""
    return np.asarray(sum((route.values for route in routes), np.zeros_like(like)))
