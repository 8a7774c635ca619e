"""Panels 3 and 4: the cell state and the hidden state over time."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from lstmtui.session import Session
from lstmtui.tui.panels.asked_row import AskedRow
from lstmtui.tui.panels.lane import LanePlace
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.theme import Look
from lstmtui.view import View


class StatePanel(TimelinePanel):
    """Maps of states, and below them what each timestep has in the number that is asked about."""

    def __init__(self, look: Look) -> None:
        self.asked = AskedRow(look)
        super().__init__(look)

    def contents(self) -> Sequence[Widget]:
        return (*self.rows, self.asked)

    def rows_below(self, session: Session) -> int:
        asked = session.asked
        is_shown = asked is not None and asked.is_at(session.cursor) and asked.state not in session.unseen
        return int(is_shown and asked is not None and asked.state in self.quantities(session))

    def take_place(self, place: LanePlace, session: Session) -> None:
        super().take_place(place, session)
        self.asked.take_place(self.axis, is_shown=bool(place.below))

    def show(self, session: Session) -> None:
        asked = session.asked if self.asked.display else None
        values = None if asked is None else self.asked.values(session, asked)
        super().show(session)
        if asked is not None:
            self.asked.draw(values, asked, self.axis)


class CellStatePanel(StatePanel):
    """The states that stay inside the cell, of every unit: c."""

    NUMBER = 3
    TITLE = "Cell state c"
    HELP = "The memory. Colours run from the most negative to the most positive c of the whole run."

    def quantities(self, session: Session | View) -> Sequence[str]:
        return split_states(session)[0]

    def name_of(self, session: Session) -> str:
        name = "Cell state" if session.layer.source is None else "State"
        return " ".join((name, *self.shown))


class HiddenStatePanel(StatePanel):
    """The hidden state h of every unit; of recorded code, the state that it binds last."""

    NUMBER = 4
    TITLE = "Hidden state h"
    HELP = "What the next timestep and the layer above see."

    def quantities(self, session: Session | View) -> Sequence[str]:
        return split_states(session)[1]

    def name_of(self, session: Session) -> str:
        return self.TITLE if session.layer.source is None else " ".join(("State", *self.shown))


def split_states(session: Session | View) -> tuple[Sequence[str], Sequence[str]]:
    """The states inside the cell, and the one that is given on; either may be none."""
    states = session.cell.states
    return (states[1:], states[:1]) if session.layer.source is None else (states[:-1], states[-1:])
