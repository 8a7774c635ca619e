"""Panel 2: the gates of every unit over time."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.session import Session
from lstmtui.trace.source import Source
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.view import View


class GatesPanel(TimelinePanel):
    """A map for each gate; of a cell without gates, h before it is squashed.

    Of recorded code, every variable that is no state: gates first, what is carried from a state last.
    """

    NUMBER = 2
    TITLE = "Gates"
    HELP = "Units × time: a map for each gate or name of code. Bars: their values at this timestep."

    def quantities(self, session: Session | View) -> Sequence[str]:
        cell, source = session.cell, session.layer.source
        if source is not None:
            return variables_beside_states(source)
        return cell.gates or [q for q in cell.quantities if q not in cell.states]

    def name_of(self, session: Session) -> str:
        if session.layer.source is not None:
            return "Variables"
        return "Gates" if session.cell.gates else "No gates: h before squashing"


def variables_beside_states(source: Source) -> list[str]:
    """What never leaves [0, 1], the others, arguments, and last what a state is called in the next round."""
    carried = {name for variable in source.variables for name in variable.carried_to}
    beside = [variable for variable in source.variables if not variable.carried_to]
    beside.sort(key=lambda v: (v.name in carried, not v.line, not v.in_unit_interval))
    return [variable.name for variable in beside]
