"""Where conditions hold: the first timestep of each on a way, all of them on a page."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lstmtui.arrays import Array
from lstmtui.expressions import Expression, ExpressionError, scope_of
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True, eq=False)
class Passed:
    """Where conditions hold along the way."""

    at: Array
    """Places on the way, counted from its start, in order; the first of them."""
    which: Array
    """Which condition holds there."""
    counts: tuple[int, ...]
    """How often each one holds on all of the way."""


def unfit(view: View, expression: Expression, *, condition: bool = False) -> str:
    """Why an expression means nothing for what is selected; empty where it does."""
    try:
        expression.check(scope_of(view), condition=condition)
    except ExpressionError as error:
        return str(error)
    return ""


@query()
def first_hits(view: View, conditions: tuple[Expression, ...], ts: range) -> tuple[int | None, ...]:
    """The first t of `ts` where each condition holds; None where it does not as far as the nearest of all."""
    hits: list[int | None] = []
    for when in conditions:
        t = None if unfit(view, when, condition=True) else when.search(scope_of(view), ts)
        hits.append(t)
        ts = ts if t is None else ts[: ts.index(t) + 1]
    return tuple(hits)


@query()
def first_in_others(
    view: View, conditions: tuple[Expression, ...], most: int
) -> tuple[tuple[int, int] | None, ...]:
    """Where conditions hold that never do in the selected sequence: (sequence, t), the first of the first.

    Args:
        view: whose layer they are of.
        conditions: any.
        most: so many other sequences are looked at, the first ones.

    Returns:
        For each condition; None where it holds in the selected sequence, or in none that was looked at.
    """
    own = view.cursor.batch
    others = [batch for batch in range(view.trace.batch) if batch != own][:most]
    return tuple(
        None
        if unfit(view, when, condition=True) or _first_in(view, when, own) is not None
        else next(((b, t) for b in others if (t := _first_in(view, when, b)) is not None), None)
        for when in conditions
    )


def _first_in(view: View, when: Expression, batch: int) -> int | None:
    there = replace(view, cursor=replace(view.cursor, batch=batch))
    return when.search(scope_of(there), range(there.last_t + 1))


@query()
def hits_on_the_way(view: View, conditions: tuple[Expression, ...], ts: range, most: int) -> Passed:
    """Where each condition holds along `ts`; no more than `most` places, every one of them counted."""
    where = [
        np.zeros(0, np.intp)
        if unfit(view, when, condition=True)
        else np.flatnonzero(when.holds(scope_of(view), ts))
        for when in conditions
    ]
    at = np.concatenate([np.zeros(0, np.intp), *(places[:most] for places in where)])
    which = np.repeat(np.arange(len(where)), [min(most, len(places)) for places in where])
    order = np.lexsort((which, at))[:most]
    return Passed(at[order], which[order], tuple(len(places) for places in where))


@query()
def hits_within(view: View, when: Expression, page: range) -> tuple[int, ...]:
    """Every t of a page where a condition holds."""
    if unfit(view, when, condition=True):
        return ()
    return tuple(page[i] for i in np.flatnonzero(when.holds(scope_of(view), page)).tolist())
