"""Panel 2: the gates of every unit over time."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.cells import CELLS
from lstmtui.session import Session
from lstmtui.tui.panels.timeline import TimelinePanel


class GatesPanel(TimelinePanel):
    """A map and bars for each gate; of a cell without gates, h before it is squashed."""

    NUMBER = 2
    TITLE = "Gates"
    HELP = "Units × time, one map for each gate. Bars: the units round the selected one, at this timestep."
    ROWS = max(len(cell.gates) for cell in CELLS.values())
    BARS = True

    def quantities(self, session: Session) -> Sequence[str]:
        cell = session.cell
        return cell.gates or [q for q in cell.quantities if q not in cell.states]

    def name_of(self, session: Session) -> str:
        return "Gates" if session.cell.gates else "No gates: h before squashing"
