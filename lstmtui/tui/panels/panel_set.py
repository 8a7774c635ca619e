"""Every panel of the debugger, by its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from lstmtui.session import Outcome, Session
from lstmtui.tui.panels.cell_picture import CellPicturePanel
from lstmtui.tui.panels.diagnosis import DiagnosisPanel
from lstmtui.tui.panels.gates import GatesPanel
from lstmtui.tui.panels.gradients import GradientPanel
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.notes import NotesPanel
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.sequence import SequencePanel
from lstmtui.tui.panels.states import CellStatePanel, HiddenStatePanel
from lstmtui.tui.panels.step import StepPanel
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.panels.time_ruler import TimeRuler
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.panels.values import ValuesPanel
from lstmtui.tui.panels.watches import WatchesPanel
from lstmtui.tui.panels.weights import WeightsPanel
from lstmtui.tui.theme import Look
from lstmtui.view import Cursor, View

PANELS = (
    DiagnosisPanel,
    SequencePanel,
    GatesPanel,
    CellStatePanel,
    HiddenStatePanel,
    StepPanel,
    GradientPanel,
    WatchesPanel,
    NotesPanel,
    ValuesPanel,
    CellPicturePanel,
    WeightsPanel,
)

LANES = (1, 2, 3, 4, 6)
"""From top to bottom."""

SHARED = (5, 10, 11)
"""One of them has the place beside the lanes: the first, or the one that was asked for last."""

_MOST_ROWS = 24
"""Of maps that are there from the start; where a large screen has room for more, they come to be there."""

_P = TypeVar("_P", bound=Panel)


class Room(Container):
    """What panels share; it says when that is more or less than before."""

    class Changed(Message):
        """There is another number of columns or rows."""

    def on_resize(self) -> None:
        """Say so."""
        self.post_message(self.Changed())


class PanelSet(Mapping[int, Panel]):
    """One panel of each kind.

    Args:
        look: what the terminal can show.
    """

    def __init__(self, look: Look) -> None:
        self._by_number: dict[int, Panel] = {kind.NUMBER: kind(look) for kind in PANELS}
        self.axis = TimeAxis()
        """What all lanes share."""
        self.ruler = TimeRuler(look, self.axis)
        for panel in self._by_number.values():
            if isinstance(panel, Lane):
                panel.axis = self.axis

    def make_rows(self, session: Session) -> None:
        """Make a row for each map that any layer of any run needs, before the rows are composed."""
        for name, trace in session.traces.items():
            for layer in range(len(trace.layers)):
                view = View(trace, trace, Cursor(name, layer=layer))
                for panel in self.values():
                    if isinstance(panel, TimelinePanel):
                        panel.make_rows(min(_MOST_ROWS, len(panel.quantities(view))))

    def __getitem__(self, number: int) -> Panel:
        return self._by_number[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_number)

    def __len__(self) -> int:
        return len(self._by_number)

    def compose(self) -> ComposeResult:
        """The panels in the boxes that give them their places."""
        yield self[0]
        with Room(id="middle"):
            with Vertical(id="lanes"):
                yield from (self[number] for number in LANES)
                yield self.ruler
            with Container(id="side"):
                yield from (self[number] for number in SHARED)
                yield self[9]
                yield self[7]
                yield self[8]

    def of_kind(self, kind: type[_P]) -> _P:
        """The panel of a kind."""
        panel = self._by_number[kind.NUMBER]
        assert isinstance(panel, kind)
        return panel

    def fitting(self, session: Session) -> list[int]:
        """The numbers of the panels that have something to show of the selected cell, in order."""
        return sorted(number for number, panel in self.items() if panel.fits(session))

    def on_screen(self) -> list[int]:
        """The numbers of the panels that have a place on the screen as it is, in order."""
        return sorted(number for number, panel in self.items() if panel.on_screen)

    def forget(self) -> None:
        """Draw everything the next time."""
        for panel in self.values():
            panel.forget()

    def toggle_difference(self, session: Session) -> Outcome:
        """Let maps show the difference to the other run, or the values again."""
        subtract = not self.of_kind(GatesPanel).subtract
        if subtract and session.other is None:
            text = "there is nothing to subtract: `compare` with another run, or `set` a what-if first"
            return Outcome(False, text)
        for panel in self.values():
            if isinstance(panel, TimelinePanel):
                panel.subtract = subtract
        return Outcome(True, "maps of the difference" if subtract else "maps of the values")
