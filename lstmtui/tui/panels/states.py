"""Panels 3 and 4: the cell state and the hidden state over time."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.cells import CELLS
from lstmtui.session import Session
from lstmtui.tui.panels.timeline import TimelinePanel


class CellStatePanel(TimelinePanel):
    """The states that stay inside the cell, of every unit: c."""

    NUMBER = 3
    TITLE = "Cell state c"
    HELP = "The memory. Colours run from the most negative to the most positive c of the whole run."

    ROWS = max(1, *(len(cell.states) - 1 for cell in CELLS.values()))

    def quantities(self, session: Session) -> Sequence[str]:
        return session.cell.states[1:]

    def name_of(self, session: Session) -> str:
        return " ".join(("Cell state", *session.cell.states[1:]))

    def fits(self, session: Session) -> bool:
        return len(session.cell.states) > 1


class HiddenStatePanel(TimelinePanel):
    """The hidden state h of every unit."""

    NUMBER = 4
    TITLE = "Hidden state h"
    HELP = "What the cell shows to the next timestep and to the layer above."

    def quantities(self, session: Session) -> Sequence[str]:
        return session.cell.states[:1]
