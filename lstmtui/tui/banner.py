"""One line above the panels that says where NaN or inf first appears, until it is dismissed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from lstmtui.analysis.first_bad import first_bad
from lstmtui.analysis.raised import raised_text
from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.go_to_first_bad import views_from_here
from lstmtui.tui.theme import Look
from lstmtui.tui.whole_run import is_small
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.view import View


class Banner(StatusLine):
    """Searches every run of a session for bad values, and shows itself if there are any."""

    class Searched(Message):
        """The runs were searched: where the first bad value is."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Changed(Message):
        """The banner takes a row of the screen, or gives it back."""

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__(look, id="banner")
        self.display = False
        self._session = session
        self._due: Sequence[View] = ()
        """What is to be looked through."""
        self._last_text = ""

    def on_mount(self) -> None:
        """Look for the first bad value of any run."""
        self.look_again(self._session)

    def look_again(self, session: Session, *, live: bool = False) -> None:
        """Search runs that have changed; of a long one that grows, only once it has ended."""
        if is_small(session):
            self._show_text(_bad_value_text(views_from_here(session)))
        elif not live:
            self._due = views_from_here(session)

    def begin(self) -> None:
        """Start a search off the event loop if one is due; panels would wait during it."""
        if self._due:
            self._search(self._due)
            self._due = ()

    @work(thread=True, exclusive=True, group="banner", exit_on_error=False)
    def _search(self, views: Sequence[View]) -> None:
        text = _bad_value_text(views)
        if text and not get_current_worker().is_cancelled:
            self.post_message(self.Searched(text))

    @on(Searched)
    def _show_result(self, event: Searched) -> None:
        event.stop()
        self._show_text(event.text)

    def _show_text(self, text: str) -> None:
        """Show a text, unless the same was shown, and maybe dismissed, before."""
        if text and text != self._last_text:
            self._last_text = text
            self.set_spans(((f" {text}", "warning"), (", Esc hides this", "muted")))
            self.display = True
            self.post_message(self.Changed())

    @property
    def is_shown(self) -> bool:
        """Whether it is on screen."""
        return bool(self.display)

    def dismiss(self) -> None:
        """Hide it."""
        self.display = False
        self.post_message(self.Changed())


def _bad_value_text(views: Sequence[View]) -> str:
    try:
        return bad_value_text(views)
    except (UserError, Cancelled):  # a damaged file is told where it is drawn
        return ""


def bad_value_text(views: Sequence[View]) -> str:
    """Where the first of some runs raised an exception or has NaN or inf first; empty if none does."""
    for view in views:
        model = f"{view.cursor.model}: " if len(views) > 1 else ""
        if raised := raised_text(view.trace):
            return f"{printable(model)}{raised}"
        for which in ("forward", "backward"):
            bad = first_bad(view, which)
            if bad is not None:
                command = "first-bad" if which == "forward" else "first-bad backward"
                return printable(f"{model}{bad.where} — :{command} goes there")
    return ""
