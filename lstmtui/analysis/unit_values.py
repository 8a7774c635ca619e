"""The numbers of one unit at one timestep, and the routes along which its gradient came back."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.analysis.gradient_split import Split, survival
from lstmtui.analysis.windows import vector
from lstmtui.arrays import norm
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.errors import UserError
from lstmtui.trace.keys import array_key
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True)
class Numbers:
    """One quantity of the unit at the cursor."""

    quantity: str
    value: float
    recorded: float | None
    """In the run without what-ifs; None where this is that run."""
    derivative: float | None
    """The total derivative by it; None for a run that has none."""
    norm: float
    """L2 of the whole vector."""
    is_bound: bool = True
    """Whether the timestep has it: code that was recorded need not bind every name in each round."""


@dataclass(frozen=True)
class RoutePart:
    """The part of a gradient that came along one route."""

    name: str
    value: float | None
    """The unit's part; None where the state has no such unit."""
    share: float
    """Of the whole vector, see `Split.shares`."""


@dataclass(frozen=True)
class Survival:
    """How the gradient by one state came back to the timestep before."""

    sentence: str
    parts: tuple[RoutePart, ...]


@dataclass(frozen=True)
class Survivals:
    """How the gradients by all states came back, h first."""

    states: tuple[Survival, ...]
    refusal: str = ""
    """Why nothing can be said; empty where it can."""


@query("t", "unit")
def numbers_at(view: View) -> tuple[Numbers, ...]:
    """Every quantity that has the selected unit: states first, then in order of evaluation."""
    cell, unit = view.cell, view.cursor.unit
    ordered = (*cell.states, *(q for q in cell.quantities if q not in cell.states))
    return tuple(_numbers(view, q) for q in ordered if unit < view.layer.size(q))


@query("t", "unit")
def survivals_at(view: View, notation: Notation = UNICODE) -> Survivals:
    """Why each gradient survived or died on its way back by one timestep, see `split.survival`."""
    try:
        splits = routes_at(view, notation)
    except UserError as error:
        return Survivals((), str(error))
    unit = view.cursor.unit
    return Survivals(tuple(Survival(survival(split, notation), _parts(split, unit)) for split in splits))


def _numbers(view: View, quantity: str) -> Numbers:
    unit, changed = view.cursor.unit, view.trace is not view.baseline
    values = vector(view, quantity)
    recorded = _recorded(view, quantity) if changed else None
    bound = view.trace.arrays.get(array_key("bound/" + quantity, view.cursor.layer, view.cursor.direction))
    return Numbers(
        quantity,
        float(values[unit]),
        recorded,
        _derivative(view, quantity),
        float(norm(values)),
        bound is None or bool(bound[view.cursor.t]),
    )


def _recorded(view: View, quantity: str) -> float:
    cursor = view.cursor
    every = view.baseline.values(quantity, cursor.layer, cursor.direction)
    return float(every[cursor.t, cursor.batch, cursor.unit])


def _derivative(view: View, quantity: str) -> float | None:
    cursor = view.cursor
    bound = view.trace.arrays.get(array_key("bound/d" + quantity, cursor.layer, cursor.direction))
    if bound is not None and not bound[cursor.t]:
        return None
    try:
        return float(vector(view, "d" + quantity)[cursor.unit])
    except UserError:
        return None


def _parts(split: Split, unit: int) -> tuple[RoutePart, ...]:
    return tuple(
        RoutePart(route.name, float(route.values[unit]) if unit < len(route.values) else None, share)
        for route, share in zip(split.routes, split.shares, strict=True)
    )
