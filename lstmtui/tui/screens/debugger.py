"""The screen of §6: every panel round one cursor, and the keys that move it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from lstmtui.errors import UserError
from lstmtui.playback.export import export
from lstmtui.playback.written_files import replace_file
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.language import Command
from lstmtui.session.outcome import Outcome
from lstmtui.session.requests import Export, Note, Quit, Request, Screenshot
from lstmtui.session.verbs import VERBS
from lstmtui.tui.copying import copy_value
from lstmtui.tui.keys import bindings
from lstmtui.tui.panels.diagnosis import DiagnosisPanel
from lstmtui.tui.panels.gates import GatesPanel
from lstmtui.tui.panels.gradients import GradientPanel
from lstmtui.tui.panels.notes import NotesPanel
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.sequence import SequencePanel
from lstmtui.tui.panels.states import CellStatePanel, HiddenStatePanel
from lstmtui.tui.panels.step import StepPanel
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.panels.values import ValuesPanel
from lstmtui.tui.panels.watches import WatchesPanel
from lstmtui.tui.screens.showing import ShowingScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.tour import is_harmless
from lstmtui.view import NotReady

_T = TypeVar("_T")

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
)


class DebuggerScreen(ShowingScreen):
    """Walks a session. Every key is a command; every panel is shown what came of it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (70, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-short"), (34, "-high"), (56, "-tall")]  # noqa: RUF012

    def __init__(self, session: Session, look: Look, place: Path | str | None = None) -> None:
        super().__init__(session, look, place)
        self.panels: dict[int, Panel] = {kind.NUMBER: kind(look) for kind in PANELS}
        self.zoomed: Panel | None = None
        self._arranged = self._place_of_cell()
        """The place whose cell the panels were last given room for."""

    def compose(self) -> ComposeResult:
        panels = self.panels
        yield self.header_line
        yield self.banner
        yield panels[0]
        yield panels[1]
        with Horizontal(id="middle"):
            with Vertical(id="maps"):
                yield panels[2]
                with Horizontal(id="states"):
                    yield panels[3]
                    yield panels[4]
            with Vertical(id="numbers"):
                yield panels[5]
                yield panels[9]
        with Horizontal(id="bottom"):
            yield panels[6]
            with Horizontal(id="texts"):
                yield panels[7]
                yield panels[8]
        yield self.command_line
        yield self.footer_line

    def on_mount(self) -> None:
        """Show everything once it has its place."""
        self._arrange()
        self.call_after_refresh(self.show_session)
        if self.following is not None:
            self.following.begin()

    @on(Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self.show_session)

    def finish_command(self, command: Command, outcome: Outcome) -> None:
        """Show what came of a command; another selection may need other panels."""
        if VERBS[command.verb].changes_run:
            for panel in self.panels.values():
                panel.forget()
        if command.verb == "first-bad":
            self.banner.dismiss()
        if command.verb == "diagnose" and outcome.ok:
            outcome = Outcome(True, "the diagnosis: [ and ] choose, e goes there, z leaves")
        super().finish_command(command, outcome)
        if self._place_of_cell() != self._arranged:
            self._arrange()
        if command.verb == "diagnose" and outcome.ok:
            self.action_panel(0)

    def renew(self) -> None:
        """The session has other traces: draw everything again."""
        for panel in self.panels.values():
            panel.forget()
        self._arrange()

    def handle_request(self, request: Request) -> None:
        """What a verb asks for, as it is meant in front of a screen, on which nothing is waited for."""
        match request:
            case Note(text):
                notes = self.panels[8]
                assert isinstance(notes, NotesPanel)
                notes.say(text, self.session)
            case Screenshot(name):
                Path(name).write_text(self.app.export_screenshot(), encoding="utf-8")
            case Export(name):
                replace_file(name, lambda file: export(self.session.view, name, file))
            case Quit():
                self.app.exit()

    def _place_of_cell(self) -> tuple[str, int, str]:
        cursor = self.session.cursor
        return cursor.model, cursor.layer, cursor.direction

    def _arrange(self) -> None:
        """Give every panel that fits the cell its place, or the whole screen to the zoomed one."""
        self._arranged = self._place_of_cell()
        for panel in self.panels.values():
            others = (panel,) if panel.ALONE else (None, panel)
            panel.set_class(not panel.fits(self.session) or self.zoomed not in others, "-gone")
        for box in self.query("#middle, #maps, #states, #numbers, #bottom, #texts"):
            box.set_class(all(panel.has_class("-gone") for panel in box.query(Panel)), "-gone")
        self.set_class(self.zoomed is not None, "-zoomed")
        self.call_after_refresh(self.show_session)

    # Walk

    def action_page(self, pages: int) -> None:
        """A page of the gates on or back."""
        page = self.panels[2].page if isinstance(self.panels[2], GatesPanel) else None
        count = max(1, page.stop - page.start) if page else 10
        self.run_text(f"step {count}" if pages > 0 else f"back {count}")

    # Look at

    def action_unit(self, by: int) -> None:
        """unit K, the next or the one before, round"""
        self.run_text(f"unit {(self.session.cursor.unit + by) % self.session.layer.hidden_size}")

    def action_model(self, by: int) -> None:
        """model NAME, the next or the one before, round"""
        names = [printable(name) for name in self.session.traces]
        self._round("model", names, printable(self.session.cursor.model), by)

    def action_layer(self) -> None:
        """layer L, the next, round"""
        self._round("layer", list(range(len(self.session.trace.layers))), self.session.cursor.layer)

    def action_direction(self) -> None:
        """direction forward or backward"""
        self._round("direction", list(self.session.layer.directions), self.session.cursor.direction)

    def action_batch(self) -> None:
        """batch B, the next, round"""
        self._round("batch", list(range(self.session.trace.batch)), self.session.cursor.batch)

    def _round(self, verb: str, among: list[_T], now: _T, by: int = 1) -> None:
        if len(among) == 1:
            noun = "sequence in the batch" if verb == "batch" else verb
            self.refuse(f"there is only one {noun}")
        else:
            self.run_text(f"{verb} {among[(among.index(now) + by) % len(among)]}")

    def action_difference(self) -> None:
        """Show maps of the difference to what is compared, or to the run without what-ifs, and back."""
        maps = [panel for panel in self.panels.values() if isinstance(panel, TimelinePanel)]
        if self.session.other is None and not maps[0].subtract:
            self.refuse("there is nothing to subtract: `compare` with another run, or `set` a what-if first")
            return
        for panel in maps:
            panel.subtract = not panel.subtract
        self.tell(Outcome(True, "maps of the difference" if maps[0].subtract else "maps of the values"))

    @on(WatchesPanel.Asked)
    def _asked(self, event: WatchesPanel.Asked) -> None:
        self.run_text(event.command)

    @on(DiagnosisPanel.Appeared)
    def _appeared(self) -> None:
        self.show_session()

    @on(DiagnosisPanel.Followed)
    def _followed(self, event: DiagnosisPanel.Followed) -> None:
        """Leave the verdict for what it is about."""
        self.action_zoom()
        for command in event.commands:
            if is_harmless(command):  # a verdict may come from another machine
                self.run_text(command)

    @on(Panel.Picked)
    def _picked(self, event: Panel.Picked) -> None:
        """A click goes to its timestep and its unit."""
        stop = None
        if event.t is not None:
            stop = self.session.goto(min(event.t, self.session.last_t))
        if event.unit is not None:
            stop = self.session.select_unit(min(event.unit, self.session.layer.hidden_size - 1))
        if stop is not None:
            self.message = None
            self.show_session()

    def action_copy(self) -> None:
        """Copy the value in focus by way of the terminal."""
        watches = self.panels[7]
        entry = watches.chosen_entry if isinstance(watches, WatchesPanel) else None
        try:
            copied = copy_value(self.app, self.session, getattr(self.focused, "NUMBER", None), entry)
        except (UserError, NotReady) as error:
            self.refuse(str(error) or "the value is not here yet")
        else:
            self.tell(Outcome(True, copied))

    # Panels

    def action_panel(self, number: int) -> None:
        """Focus a panel by number; one that has no room on this screen takes all of it."""
        panel = self.panels.get(number)
        if panel is None or not panel.fits(self.session):
            numbers = ", ".join(str(n) for n, p in sorted(self.panels.items()) if p.fits(self.session))
            self.refuse(f"no panel {number} here; there are {numbers}")
            return
        if self.zoomed not in (None, panel) or not panel.on_screen:
            self.zoomed = panel
            self._arrange()
        panel.focus(scroll_visible=False)

    def action_panel_by(self, by: int) -> None:
        """Focus the next panel on screen, or the one before."""
        shown = [n for n, p in sorted(self.panels.items()) if p.on_screen]
        if self.zoomed is not None or not shown:  # a terminal of a few cells has room for none
            shown = [n for n, p in sorted(self.panels.items()) if p.fits(self.session)]
        now = getattr(self.focused, "NUMBER", shown[-1] if by > 0 else shown[0])
        at = shown.index(now) if now in shown else 0
        self.action_panel(shown[(at + by) % len(shown)])

    def action_zoom(self) -> None:
        """Give the focused panel the whole screen, or all panels their places again."""
        if self.zoomed is not None:
            if self.zoomed.ALONE:
                self.set_focus(None)
            self.zoomed = None
        else:
            self.zoomed = self.focused if isinstance(self.focused, Panel) else self.panels[2]
            self.zoomed.focus(scroll_visible=False)
        self._arrange()

    def action_leave(self) -> None:
        """End what was begun last: play, then zoom, then focus."""
        if self.running is not None:
            self.stop_running()
        elif self.timer is not None:
            self.action_play()
        elif self.zoomed is not None:
            self.action_zoom()
        elif self.banner.is_told:
            self.banner.dismiss()
        else:
            self.set_focus(None)

    # Program

    async def action_pick(self) -> None:
        """Pick another scenario."""
        await self.app.run_action("pick")

    async def action_redraw(self) -> None:
        """Send the whole screen again."""
        await self.app.run_action("redraw")

    async def action_quit(self) -> None:
        """quit"""
        await self.app.action_quit()

    async def action_help(self) -> None:
        """Keys and glossary."""
        await self.app.run_action("help")
