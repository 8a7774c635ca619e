"""Commands, executed on a session."""

from __future__ import annotations

from dataclasses import replace

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.session.history import Change
from lstmtui.session.language import Command
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.undo import setting_of
from lstmtui.session.verbs import VERBS


def execute(session: Session, command: Command) -> Outcome:
    """Execute a command, as far as a session can, and return its outcome.

    Nothing the command holds makes this raise: what cannot be done is an outcome that is not ok.
    """
    verb, before = VERBS[command.verb], session.cursor
    setting = setting_of(session) if verb.can_be_undone else None
    try:
        outcome = verb.execute(session, *command.arguments)
    except UserError as error:
        outcome = Outcome(False, str(error))
    if setting is not None and (after := setting_of(session)) != setting:
        session.history = session.history.changed(Change(command.text, setting, after))
    if session.cursor != before and not verb.goes_through_history:
        session.history = session.history.moved(before, verb.walk)
    return replace(outcome, text=printable(outcome.text))
