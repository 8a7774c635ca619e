"""Commands, executed on a session."""

from __future__ import annotations

from dataclasses import replace

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.session.language import Command
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.verbs import VERBS


def execute(session: Session, command: Command) -> Outcome:
    """Do what a command says, as far as a session can, and say what came of it.

    Nothing the command holds makes this raise: what cannot be done is an outcome that is not ok.
    """
    try:
        outcome = VERBS[command.verb].execute(session, *command.arguments)
    except UserError as error:
        outcome = Outcome(False, str(error))
    return replace(outcome, text=printable(outcome.text))
