"""Which panels have a place on the screen: all that fit the cell, or one alone."""

from __future__ import annotations

from collections.abc import Callable

from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from lstmtui.session import Outcome, Session
from lstmtui.tui.compat import lay_out
from lstmtui.tui.panels.gates import GatesPanel
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import SHARED, PanelSet
from lstmtui.tui.parts.plan import Plan, make_plan
from lstmtui.tui.widgets.line_widget import LineWidget

_SCROLLING = {
    *(("run", verb) for verb in ("into", "out", "first", "last")),
    *(("page", pages) for pages in (1, -1)),
}
"""What keys do that scroll a panel which scrolls."""


class Arrangement:
    """Gives panels their places, and one of them the focus.

    Args:
        session: whose cell says which panels there are.
        screen: what they stand on.
        panels: all there are.
        redraw: called when panels are to have other places; it arranges them.
        report: shows why something cannot be done.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        panels: PanelSet,
        redraw: Callable[[], None],
        report: Callable[[Outcome], None],
    ) -> None:
        self._session, self._screen, self._panels = session, screen, panels
        self._redraw, self._report = redraw, report
        self.zoomed: Panel | None = None
        """The panel that has the whole screen."""
        self.in_front = SHARED[0]
        """Which of the panels that share a place has it."""
        self._arranged: tuple[Size, int, Plan] | None = None
        """The screen's size, the rows that are not the panels', and the places they have in it."""

    def arrange(self) -> None:
        """Give every panel its place for the present selection, before any of them draws."""
        if self.zoomed is not None and not self.zoomed.fits(self._session):
            self.zoomed = None  # another cell is selected, which has nothing to show there
        size = self._screen.app.size
        # Those above the panels, and below them; the prompt stands before these.
        lines = [widget for widget in self._screen.children if isinstance(widget, LineWidget)]
        taken = sum(int(line.styles.height.value) for line in lines if line.display and line.styles.height)
        room = Size(size.width, max(0, size.height - taken))
        plan = make_plan(self._session, self._panels, room, self.zoomed, self.in_front)
        arranged = (size, taken, plan)
        if arranged != self._arranged:
            self._arranged = arranged
            self._panels.axis.place = plan.axis
            with self._screen.app.batch_update():
                self._apply(plan)
                lay_out(self._screen)
            for number, panel in self._panels.items():
                if plan.places(number):
                    panel.fit_titles()
        self._panels.axis.show(self._session.cursor.t, self._session.trace.header)

    def _apply(self, plan: Plan) -> None:
        """Give boxes and panels the sizes of a plan."""
        middle, lanes, side = (
            self._screen.query_one(f"#{box}", Widget) for box in ("middle", "lanes", "side")
        )
        middle.styles.layout = "vertical" if plan.is_stacked else "horizontal"
        side.styles.layout = "horizontal" if plan.is_stacked else "vertical"
        middle.display = bool(plan.lanes or plan.beside)
        for box, (columns, rows), is_shown in (
            (lanes, plan.lanes_size, bool(plan.lanes)),
            (side, plan.beside_size, bool(plan.beside)),
        ):
            box.display, box.styles.width, box.styles.height = is_shown, columns, rows
        self._panels.ruler.take_place()
        for number, panel in self._panels.items():
            panel.display, panel.is_zoomed = plan.places(number), number == plan.zoomed
            if number in plan.lanes and isinstance(panel, Lane):
                panel.take_place(plan.lanes[number], self._session)
            elif number in plan.beside:
                panel.styles.width, panel.styles.height = plan.beside[number]
            unplaced = plan.unplaced if number == plan.corner else ()
            panel.name_hidden([self._panels[hidden].key for hidden in unplaced])

    def focus(self, number: int) -> None:
        """Focus a panel by number; one that has no room on this screen takes all of it."""
        panel = self._panels.get(number)
        if panel is None or not panel.fits(self._session):
            keys = ", ".join(self._panels[number].key for number in self._panels.fitting(self._session))
            self._report(Outcome(False, f"no panel {number} here; there are {keys}"))
            return
        if self._screen.focused is panel and panel.on_screen:
            panel.pressed_again()
            return
        plan = None if self._arranged is None else self._arranged[2]
        is_behind = number in SHARED and number != self.in_front
        if is_behind and self.zoomed is None and plan is not None and not plan.is_stacked:
            self.in_front = number
            self._redraw()
        elif self.zoomed not in (None, panel) or not panel.on_screen:
            self.zoomed = panel
            self._redraw()
        panel.focus(scroll_visible=False)

    def show_panel(self, key: str) -> None:
        """Focus the panel of a key, as a command asks; all: every panel has its place again."""
        number = next((number for number, panel in self._panels.items() if panel.key == key), None)
        if number is None and self.zoomed is not None:
            self.zoom()
        elif number is not None and number != self.focused_number:
            self.focus(number)

    def focus_by(self, by: int) -> None:
        """Focus the next panel on screen, or the one before."""
        numbers = self._panels.on_screen()
        if self.zoomed is not None or not numbers:  # a terminal of a few cells has room for none
            numbers = self._panels.fitting(self._session)
        now = self.focused_number
        if now is None:
            now = numbers[-1] if by > 0 else numbers[0]
        at = numbers.index(now) if now in numbers else 0
        self.focus(numbers[(at + by) % len(numbers)])

    @property
    def focused_number(self) -> int | None:
        """The number of the panel with the focus."""
        return getattr(self._screen.focused, "NUMBER", None)

    def is_scrolled_by(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether a key scrolls the panel with the focus, instead of moving the cursor."""
        focused = self._screen.focused
        is_scrolling = (action, *parameters) in _SCROLLING
        return is_scrolling and isinstance(focused, Panel) and focused.SCROLLS

    def zoom(self) -> None:
        """Give the focused panel the whole screen, or all panels their places again."""
        if self.zoomed is not None:
            if self.zoomed.ALONE:
                self._screen.set_focus(None)
            self.zoomed = None
        else:
            focused = self._screen.focused
            self.zoomed = focused if isinstance(focused, Panel) else self._panels.of_kind(GatesPanel)
            self.zoomed.focus(scroll_visible=False)
        self._redraw()
