"""Verbs that undo and redo changes, and go back to places where the cursor was."""

from __future__ import annotations

from collections.abc import Callable

from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.undo import go_newer, go_older, redo, runs_model, undo
from lstmtui.session.verbs.verb import Execute, Verb
from lstmtui.session.verbs.walking import movement


def _outcome_of(change: Callable[[Session], str]) -> Execute:
    return lambda session: Outcome(True, change(session))


UNDOING = (
    Verb(
        name="undo",
        usage="undo",
        help="take back the latest change of what-ifs, breakpoints, watches or comparison",
        parse=arguments.nothing,
        execute=_outcome_of(undo),
        aliases=("u",),
        reads="arrays",
        runs_model=runs_model(lambda session: session.history.changes),
        changes_run=True,
        changes_saved_state=True,
        goes_through_history=True,
    ),
    Verb(
        name="redo",
        usage="redo",
        help="do again what was undone",
        parse=arguments.nothing,
        execute=_outcome_of(redo),
        reads="arrays",
        runs_model=runs_model(lambda session: session.history.undone),
        changes_run=True,
        changes_saved_state=True,
        goes_through_history=True,
    ),
    Verb(
        name="older",
        usage="older",
        help="go back to where the cursor was before it was moved",
        parse=arguments.nothing,
        execute=movement(go_older),
        goes_through_history=True,
    ),
    Verb(
        name="newer",
        usage="newer",
        help="go on again to where it was before `older`",
        parse=arguments.nothing,
        execute=movement(go_newer),
        goes_through_history=True,
    ),
)
