"""Panels 3 and 4: the cell state and the hidden state over time."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.session import Session
from lstmtui.tui.panels.timeline import TimelinePanel


class CellStatePanel(TimelinePanel):
    """The cell state c of every unit."""

    NUMBER = 3
    TITLE = "Cell state c"
    HELP = "The memory. Colours run from the most negative to the most positive c of the whole run."

    def quantities(self, session: Session) -> Sequence[str]:
        return ("c",) if self.fits(session) else ()

    def fits(self, session: Session) -> bool:
        return "c" in session.cell.states


class HiddenStatePanel(TimelinePanel):
    """The hidden state h of every unit."""

    NUMBER = 4
    TITLE = "Hidden state h"
    HELP = "What the cell shows to the next timestep and to the layer above."

    def quantities(self, session: Session) -> Sequence[str]:
        return ("h",)
