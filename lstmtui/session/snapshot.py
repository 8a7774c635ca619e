"""The state of a session at one moment, which can be saved and restored."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

from lstmtui.session.asked import Asked
from lstmtui.session.breakpoints import Breakpoints
from lstmtui.session.history import History
from lstmtui.session.open_question import OpenQuestion
from lstmtui.session.session import Session
from lstmtui.session.watches import Watches
from lstmtui.session.what_ifs import WhatIfs
from lstmtui.trace import Trace
from lstmtui.view import Cursor


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that commands can change: cursor, what-ifs, comparison, hidden quantities, history."""

    cursor: Cursor
    breakpoints: Breakpoints
    watches: Watches
    what_ifs: WhatIfs | None
    compared: Trace | None
    hidden: frozenset[str]
    asked: Asked | None
    question: OpenQuestion | None
    history: History

    @classmethod
    def take(cls, session: Session) -> Snapshot:
        """What the session is at now."""
        return cls(
            session.cursor,
            session.breakpoints.copy(),
            session.watches.copy(),
            copy(session.what_ifs),
            session.compared,
            session.hidden,
            session.asked,
            session.question,
            session.history,
        )

    def restore(self, session: Session) -> None:
        """Bring the session back to it; what-ifs of runs that have grown since are left out."""
        session.breakpoints = self.breakpoints.copy()
        session.watches = self.watches.copy()
        what_ifs = copy(self.what_ifs)
        if what_ifs is not None and what_ifs.recorded is not session.traces:
            what_ifs.recorded = session.traces
            what_ifs.reset()
        session.what_ifs = what_ifs
        session.compared = self.compared
        session.asked = self.asked
        session.hidden, session.question, session.history = self.hidden, self.question, self.history
        session.cursor = self.cursor.fitted_to(session.traces[self.cursor.model])


def start_clean(session: Session) -> None:
    """The session as it was when it was opened: nothing is set, and the cursor is where a run begins."""
    Snapshot.take(Session(session.traces, session.engine, session.backend)).restore(session)
