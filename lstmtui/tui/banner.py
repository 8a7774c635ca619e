"""One line above the panels that says where NaN or inf first appears, until it is dismissed."""

from __future__ import annotations

from copy import copy

from textual import on, work
from textual.message import Message

from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.first_bad import first_bad
from lstmtui.tui.theme import Look
from lstmtui.tui.whole_run import is_small
from lstmtui.tui.widgets.status import StatusLine


class Banner(StatusLine):
    """Looks through every run of a session when mounted, and shows itself if there is something to say."""

    DEFAULT_CSS = """
    Banner { display: none; }
    Banner.-told { display: block; }
    """

    class Told(Message):
        """Something was found."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__(look, id="banner")
        self._session = copy(session)

    def on_mount(self) -> None:
        """Look for the first bad value of any run."""
        if is_small(self._session):
            self._tell(self._found())
        else:
            self._search()

    @work(thread=True, exclusive=True, group="banner", exit_on_error=False)
    def _search(self) -> None:
        text = self._found()
        if text:
            self.post_message(self.Told(text))

    def _found(self) -> str:
        try:
            return bad_value_text(self._session)
        except (UserError, Cancelled):  # a damaged file is told where it is drawn
            return ""

    @on(Told)
    def _told(self, event: Told) -> None:
        event.stop()
        self._tell(event.text)

    def _tell(self, text: str) -> None:
        if text:
            self.set_spans(((f" {text}", "warning"), (", Esc hides this", "muted")))
            self.add_class("-told")

    @property
    def is_told(self) -> bool:
        """Whether it is on screen."""
        return self.has_class("-told")

    def dismiss(self) -> None:
        """Show it no more."""
        self.remove_class("-told")


def bad_value_text(session: Session) -> str:
    """Where the first run that has one has its first bad value, forward or else backward; empty for none."""
    probe = copy(session)
    for model in session.traces:
        probe.select_model(model)
        for which in ("forward", "backward"):
            found = first_bad(probe, which)
            if found is not None:
                several = f"{model}: " if len(session.traces) > 1 else ""
                command = "first-bad" if which == "forward" else "first-bad backward"
                return printable(f"{several}{found.where} — :{command} goes there")
    return ""
