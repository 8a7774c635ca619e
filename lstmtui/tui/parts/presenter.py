"""Shows the session: its panels and the lines above and below them, also while answers are awaited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.screen import Screen
from textual.timer import Timer

from lstmtui.errors import UserError
from lstmtui.session import Session, Stop
from lstmtui.tui.banner import Banner
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import PanelSet
from lstmtui.tui.panels.time_ruler import TimeRuler
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.status import Part, StatusLine
from lstmtui.view import NotReady

MARKED_AFTER = 0.3
"""Seconds after which a panel is marked that waits for an answer."""


class Presenter:
    """Shows every move in every panel; a panel without an answer yet keeps what it shows.

    Args:
        session: what is shown.
        look: what the terminal can show.
        screen: where it is shown.
        panels: by number.
        header: the line above the panels, for a width in cells.
        footer: the line below them.
        say: puts a message into the footer.
    """

    def __init__(
        self,
        session: Session,
        look: Look,
        screen: Screen[None],
        panels: PanelSet,
        header: Callable[[int], Sequence[Part]],
        footer: Callable[[int], Sequence[Part]],
        say: Callable[[Stop | None], None],
    ) -> None:
        self._session, self._screen, self._panels = session, screen, panels
        self._header, self._footer, self._say = header, footer, say
        self.header_line, self.footer_line = StatusLine(look, id="header"), StatusLine(look, id="footer")
        self.banner = Banner(session, look)
        self._outstanding: set[Panel | TimeRuler] = set()
        """The panels that do not show yet where the session is."""
        self._mark_timer: Timer | None = None

    @property
    def is_behind(self) -> bool:
        """Whether a panel does not show yet where the session is."""
        return bool(self._outstanding)

    def show(self) -> None:
        """Let every visible panel draw what has changed."""
        shown: tuple[Panel | TimeRuler, ...] = (*self._panels.values(), self._panels.ruler)
        self._outstanding &= {panel for panel in shown if panel.on_screen}
        self._draw(shown)

    def answers_came(self) -> None:
        """Draw what was waited for, as far as it is here now, and what is wrong with the way to it."""
        self._draw(tuple(self._outstanding))

    def draw_footer(self) -> None:
        """The line below the panels."""
        self.footer_line.set_parts(self._footer(self._screen.app.size.width))

    def _draw(self, panels: Iterable[Panel | TimeRuler]) -> None:
        with self._screen.app.batch_update():
            width = self._screen.app.size.width
            self.header_line.set_parts(self._header(width))
            for panel in panels:
                if panel.on_screen:
                    self._show(panel)
            self.draw_footer()
        if not self._outstanding:
            # This takes long, and would keep panels waiting.
            self.banner.begin()
        elif self._mark_timer is None:
            self._mark_timer = self._screen.set_timer(MARKED_AFTER, self._mark_outstanding)

    def _show(self, panel: Panel | TimeRuler) -> None:
        try:
            panel.show(self._session)
        except NotReady:
            self._outstanding.add(panel)
            return
        except UserError as error:  # a file of the trace is damaged, which shows when it is first read
            self._say(Stop("refused", str(error)))
        except Exception as error:
            if self._session.backend is None:
                raise
            # Whatever the agent says, the screen outlives it.
            self._say(Stop("refused", f"the agent's answer cannot be shown: {error}"))
        self._outstanding.discard(panel)
        panel.waits = False

    def _mark_outstanding(self) -> None:
        """Mark the panels that show an earlier place, which would flicker if it were done at once."""
        self._mark_timer = None
        for panel in self._outstanding:
            panel.waits = True
