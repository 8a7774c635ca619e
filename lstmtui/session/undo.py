"""Undo and redo of changes, and going back to places where the cursor was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstmtui.errors import UserError
from lstmtui.session.history import Change, Setting
from lstmtui.session.place_text import place_text
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.view import Cursor


def setting_of(session: Session) -> Setting:
    """The present setting of a session."""
    what_ifs = session.what_ifs
    compared = (name for name, trace in session.traces.items() if trace is session.compared)
    return Setting(
        tuple(session.breakpoints),
        tuple(session.watches),
        () if what_ifs is None else what_ifs.edits,
        {} if what_ifs is None else what_ifs.losses,
        next(compared, session.compared),
    )


def undo(session: Session) -> str:
    """Undo the latest change, and say what it was.

    Raises:
        UserError: there is none, or what-ifs that were there before cannot be run again.
    """
    history = session.history
    if not history.changes:
        raise UserError("there is nothing to undo")
    *changes, change = history.changes
    effect = _put_back(session, change.before)
    session.history = replace(history, changes=tuple(changes), undone=(*history.undone, change))
    return f"undid: {change.text}{effect}"


def redo(session: Session) -> str:
    """Redo what was undone last, and say what it was.

    Raises:
        UserError: nothing has been undone since the latest change, or its what-ifs cannot be run again.
    """
    history = session.history
    if not history.undone:
        raise UserError("there is nothing to redo")
    *undone, change = history.undone
    effect = _put_back(session, change.after)
    session.history = replace(history, changes=(*history.changes, change), undone=tuple(undone))
    return f"did again: {change.text}{effect}"


def runs_model(changes: Callable[[Session], tuple[Change, ...]]) -> Callable[[Session], bool]:
    """Whether the last of these changes is one of what-ifs, so that a model is run again for it."""

    def runs(session: Session) -> bool:
        last = changes(session)[-1:]
        return any((c.before.edits, c.before.losses) != (c.after.edits, c.after.losses) for c in last)

    return runs


def go_older(session: Session) -> Stop:
    """Go back to where the cursor was before its latest movement."""
    history = session.history
    older = _without(history.older, session)
    if not older:
        return Stop("refused", "there is no older place: this is where the session began")
    left = session.cursor
    stop = _visit(session, older[-1])
    session.history = replace(history, older=older[:-1], newer=(*history.newer, left), walk="")
    return stop


def go_newer(session: Session) -> Stop:
    """Go to where the cursor was before going back."""
    history = session.history
    newer = _without(history.newer, session)
    if not newer:
        return Stop("refused", "there is no newer place")
    left = session.cursor
    stop = _visit(session, newer[-1])
    session.history = replace(history, older=(*history.older, left), newer=newer[:-1], walk="")
    return stop


def _without(places: tuple[Cursor, ...], session: Session) -> tuple[Cursor, ...]:
    """The places up to the last one that is not where the cursor is, of models that are still there."""
    there = [place for place in places if place.model in session.traces]
    while there and there[-1].fitted_to(session.traces[there[-1].model]) == session.cursor:
        there.pop()
    return tuple(there)


def _visit(session: Session, place: Cursor) -> Stop:
    session.visit(place)
    return Stop("select", f"at {place_text(session)}")


def _put_back(session: Session, setting: Setting) -> str:
    """Set everything as it was; what-ifs come first, which may fail. Says what became of them."""
    effect = ""
    if session.what_ifs is not None:
        effect = session.what_ifs.put_back(setting.edits, setting.losses)
    session.breakpoints.put_back(setting.breakpoints)
    session.watches.put_back(setting.watches)
    named = setting.compared
    session.compared = session.traces.get(named) if isinstance(named, str) else named
    return effect
