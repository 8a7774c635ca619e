"""Which panels have a place on the screen: all that fit the cell, or one alone."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from lstmtui.session import Outcome, Session
from lstmtui.tui.panels.gates import GatesPanel
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import PanelSet


class Arrangement:
    """Gives panels their places, and one of them the focus.

    Args:
        session: whose cell says which panels there are.
        screen: what they stand on.
        panels: all there are.
        redraw: called when panels have other places.
        tell: is told what cannot be done.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        panels: PanelSet,
        redraw: Callable[[], None],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._session, self._screen, self._panels = session, screen, panels
        self._redraw, self._tell = redraw, tell
        self.zoomed: Panel | None = None
        """The panel that has the whole screen."""
        self._arranged = self._layer()

    def arrange(self) -> None:
        """Give every panel that fits the cell its place, or the whole screen to the zoomed one."""
        self._arranged = self._layer()
        for panel in self._panels.values():
            others = (panel,) if panel.ALONE else (None, panel)
            panel.set_class(not panel.fits(self._session) or self.zoomed not in others, "-gone")
        for box in self._screen.query("#middle, #maps, #states, #numbers, #bottom, #texts"):
            box.set_class(all(panel.has_class("-gone") for panel in box.query(Panel)), "-gone")
        self._screen.query_one("#numbers").set_class(self._session.layer.source is not None, "-code")
        self._screen.query_one("#maps").set_class(
            self._screen.query_one("#states").has_class("-gone"), "-stateless"
        )
        self._screen.set_class(self.zoomed is not None, "-zoomed")
        self._screen.call_after_refresh(self._redraw)

    def follow_selection(self) -> None:
        """Arrange again where another layer is selected, whose cell may need other panels."""
        if self._layer() != self._arranged:
            self.arrange()

    def focus(self, number: int) -> None:
        """Focus a panel by number; one that has no room on this screen takes all of it."""
        panel = self._panels.get(number)
        if panel is None or not panel.fits(self._session):
            numbers = ", ".join(map(str, self._panels.fitting(self._session)))
            self._tell(Outcome(False, f"no panel {number} here; there are {numbers}"))
            return
        if self.zoomed not in (None, panel) or not panel.on_screen:
            self.zoomed = panel
            self.arrange()
        panel.focus(scroll_visible=False)

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
        self.arrange()

    def _layer(self) -> tuple[str, int, str]:
        cursor = self._session.cursor
        return cursor.model, cursor.layer, cursor.direction
