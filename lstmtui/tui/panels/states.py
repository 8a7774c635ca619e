"""Panels 3 and 4: the cell state and the hidden state over time."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.session import Session
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.view import View


class CellStatePanel(TimelinePanel):
    """The states that stay inside the cell, of every unit: c."""

    NUMBER = 3
    TITLE = "Cell state c"
    HELP = "The memory. Colours run from the most negative to the most positive c of the whole run."

    def quantities(self, session: Session | View) -> Sequence[str]:
        return split_states(session)[0]

    def name_of(self, session: Session) -> str:
        name = "Cell state" if session.layer.source is None else "State"
        return " ".join((name, *self.shown))


class HiddenStatePanel(TimelinePanel):
    """The hidden state h of every unit; of recorded code, the state that it binds last."""

    NUMBER = 4
    TITLE = "Hidden state h"
    HELP = "What the cell shows to the next timestep and to the layer above."

    def quantities(self, session: Session | View) -> Sequence[str]:
        return split_states(session)[1]

    def name_of(self, session: Session) -> str:
        return self.TITLE if session.layer.source is None else " ".join(("State", *self.shown))


def split_states(session: Session | View) -> tuple[Sequence[str], Sequence[str]]:
    """The states inside the cell, and the one that is given on; either may be none."""
    states = session.cell.states
    return (states[1:], states[:1]) if session.layer.source is None else (states[:-1], states[-1:])
