"""The session on a screen: its panels, the line above and the line below them, also while answers are due."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.timer import Timer

from lstmtui.errors import UserError
from lstmtui.session import Session, Stop
from lstmtui.session.outcome import Outcome
from lstmtui.tui.banner import Banner
from lstmtui.tui.footer import footer_spans
from lstmtui.tui.header import header_spans
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.screens.commanding import SLOW
from lstmtui.tui.screens.playing import SPEEDS, PlayingScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.view import NotReady

if TYPE_CHECKING:
    from lstmtui.tui.following import Following


class ShowingScreen(PlayingScreen):
    """A screen whose panels are shown every move; one whose answers are not here yet keeps what it shows."""

    panels: dict[int, Panel]
    """By number."""

    def __init__(self, session: Session, look: Look, place: Path | str | None = None) -> None:
        super().__init__(session, look, place)
        self.header_line, self.footer_line = StatusLine(look, id="header"), StatusLine(look, id="footer")
        self.banner = Banner(session, look)
        self._outstanding: set[Panel] = set()
        """The panels that do not show yet where the session is."""
        self._mark_timer: Timer | None = None
        self.following: Following | None = None
        """What looks whether the traces have grown."""

    def show_session(self) -> None:
        """Let every visible panel draw what changed."""
        self._outstanding &= {panel for panel in self.panels.values() if panel.on_screen}
        self._draw(self.panels.values())

    def answers_came(self) -> None:
        """Draw what was waited for, as far as it is here now, and what is wrong with the way to it."""
        self._draw(tuple(self._outstanding))

    def action_reconnect(self) -> None:
        """Try a lost link again now."""
        backend = self.session.backend
        if backend is None or not backend.link_status:
            self.refuse("nothing to reconnect: " + ("the link is up" if backend else "the arrays are here"))
        else:
            backend.reconnect()
            self.tell(Outcome(True, "reconnecting"))

    @property
    def is_behind(self) -> bool:
        """Whether the screen does not show yet where the session is."""
        return super().is_behind or bool(self._outstanding)

    def _draw(self, panels: Iterable[Panel]) -> None:
        with self.app.batch_update():
            width = self.size.width
            growth = self.following.text if self.following is not None else ""
            self.header_line.set_spans(header_spans(self.session, width, growth))
            for panel in panels:
                if panel.on_screen:
                    self._show(panel)
            playing = SPEEDS[self.speed] if self.timer else None
            self.footer_line.set_spans(footer_spans(self.message, playing, width, ascii=self.look.ascii))
        if not self._outstanding:
            # This takes long, and would keep panels waiting.
            self.banner.begin()
        elif self._mark_timer is None:
            self._mark_timer = self.set_timer(SLOW, self._mark_outstanding)

    def _show(self, panel: Panel) -> None:
        try:
            panel.show(self.session)
        except NotReady:
            self._outstanding.add(panel)
            return
        except UserError as error:  # a file of the trace is damaged, which shows when it is first read
            self.message = Stop("refused", str(error))
        except Exception as error:
            if self.session.backend is None:
                raise
            # Whatever the agent says, the screen outlives it.
            self.message = Stop("refused", f"the agent's answer cannot be shown: {error}")
        self._outstanding.discard(panel)
        panel.waits = False

    def _mark_outstanding(self) -> None:
        """Mark the panels that show an earlier place, which would flicker if it were done at once."""
        self._mark_timer = None
        for panel in self._outstanding:
            panel.waits = True
