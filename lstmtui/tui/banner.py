"""One line above the panels that says where NaN or inf first appears, until it is dismissed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rich.cells import cell_len
from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from lstmtui.analysis.first_bad.answer import first_bad
from lstmtui.analysis.raised import raised_forms
from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.go_to_first_bad import PASSES, views_from_here
from lstmtui.tui.theme import Look
from lstmtui.tui.whole_run import is_small
from lstmtui.tui.widgets.spans import crop
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.view import View


class Banner(StatusLine):
    """Searches every run of a session for bad values, and shows itself if there are any."""

    class Searched(Message):
        """The runs were searched: where the first bad value is, and what goes there."""

        def __init__(self, forms: Sequence[str], goes_there: str) -> None:
            super().__init__()
            self.forms, self.goes_there = forms, goes_there

    class Changed(Message):
        """The banner takes a row of the screen, or gives it back."""

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__(look, id="banner")
        self.display = False
        self._session = session
        self._due: Sequence[View] = ()
        """What is to be looked through."""
        self._forms: Sequence[str] = ()
        self._goes_there = ""

    def on_mount(self) -> None:
        """Look for the first bad value of any run."""
        self.look_again(self._session)

    def look_again(self, session: Session, *, live: bool = False) -> None:
        """Search runs that have changed; of a long one that grows, only once it has ended."""
        if is_small(session):
            self._show_text(*_bad_value_text(views_from_here(session)))
        elif not live:
            self._due = views_from_here(session)

    def begin(self) -> None:
        """Start a search off the event loop if one is due; panels would wait during it."""
        if self._due:
            self._search(self._due)
            self._due = ()

    @work(thread=True, exclusive=True, group="banner", exit_on_error=False)
    def _search(self, views: Sequence[View]) -> None:
        forms, goes_there = _bad_value_text(views)
        if forms and not get_current_worker().is_cancelled:
            self.post_message(self.Searched(forms, goes_there))

    @on(Searched)
    def _show_result(self, event: Searched) -> None:
        event.stop()
        self._show_text(event.forms, event.goes_there)

    def _show_text(self, forms: Sequence[str], goes_there: str) -> None:
        """Show a text, unless the same was shown, and maybe dismissed, before."""
        if forms and forms != self._forms:
            self._forms, self._goes_there = forms, goes_there
            self.display = True
            self.update()
            self.post_message(self.Changed())

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        """The longest form that fits; the last one gives way to what goes there, and the key before both."""
        room = width - cell_len(self._goes_there) - 1
        form = next((form for form in self._forms if cell_len(form) <= room), ("", *self._forms)[-1])
        hides = ", Esc hides this"
        if cell_len(f"{form}{hides}") > room:
            hides = ""
        place = crop(((f" {form}", "warning"),), room + 1 - len(hides), self.look)
        return [crop((*place, (self._goes_there, "warning"), (hides, "muted")), width, self.look)]

    @property
    def is_shown(self) -> bool:
        """Whether it is on screen."""
        return bool(self.display)

    def dismiss(self) -> None:
        """Hide it."""
        self.display = False
        self.post_message(self.Changed())


def _bad_value_text(views: Sequence[View]) -> tuple[Sequence[str], str]:
    try:
        return bad_value_text(views)
    except (UserError, Cancelled):  # a damaged file is told where it is drawn
        return (), ""


def bad_value_text(views: Sequence[View]) -> tuple[Sequence[str], str]:
    """Where the first of some runs raised an exception or has NaN or inf first, and what goes there.

    Returns:
        Sentences that say ever less, and the command; both are empty if no run does, and the latter for an
        exception, where a session begins.
    """
    for view in views:
        model = f"{view.cursor.model}: " if len(views) > 1 else ""
        if raised := raised_forms(view.trace):
            return tuple(f"{printable(model)}{form}" for form in raised), ""
        for which in PASSES:
            bad = first_bad(view, which)
            if bad is not None:
                return tuple(printable(f"{model}{form}") for form in bad.forms), " — :first-bad goes there"
    return (), ""
