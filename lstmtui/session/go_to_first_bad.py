"""Moves the cursor to the first NaN or inf of a session's runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lstmtui.analysis.first_bad.answer import FirstBad, first_bad
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.trace.lengths import lengths_of
from lstmtui.view import Cursor, View

PASSES = ("forward", "backward")


def go_to_first_bad(session: Session, which: str | None = None) -> Stop | None:
    """Move the cursor to the first NaN or inf, if it has a place in time; returns it, or None.

    The selected run comes first, then the session's others in their order.

    Args:
        session: whose cursor is moved.
        which: "forward", or "backward" for the derivatives; None: a run first, then its derivatives.
    """
    passes = PASSES if which is None else (which,)
    for view in views_from_here(session):
        bad = next((bad for name in passes if (bad := first_bad(view, name)) is not None), None)
        if bad is not None:
            selected, model = session.cursor.model, view.cursor.model
            session.cursor = _place(view, bad)
            return Stop("select", str(bad) if model == selected else f"{model}: {bad}")
    return None


def views_from_here(session: Session) -> Sequence[View]:
    """A view of every run, the selected one first."""
    selected = session.cursor.model
    return [session.view_of(name) for name in (selected, *(n for n in session.traces if n != selected))]


def _place(view: View, bad: FirstBad) -> Cursor:
    """The cursor at a bad value, as far as a run has such a place."""
    cursor, t = replace(view.cursor, stage=bad.stage), bad.t
    if bad.layer is not None:
        cursor = replace(cursor, layer=bad.layer, direction=bad.direction, batch=bad.batch, unit=bad.unit)
        if t < 0 and bad.direction == "backward":
            t = int(lengths_of(view.trace, bad.layer)[bad.batch]) - 1
    elif t >= 0:
        cursor = replace(cursor, batch=bad.batch)
    else:
        return cursor
    return replace(cursor, t=max(0, t)).fitted_to(view.trace)
