"""Records a scenario off the event loop, with progress and a way to cancel."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

import numpy as np
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.worker import get_current_worker

from lstmtui.analysis.preparation import prepare
from lstmtui.errors import Cancelled, UserError
from lstmtui.trace import Trace, Traces
from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.start import Opening
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.text_lines import TextLines

_EVERY = 0.1
"""Seconds between two reports to the screen."""


class OpeningScreen(Dialog[Traces | Trace | None]):
    """Returns the recorded traces, or None if the recording was cancelled or failed."""

    DEFAULT_CSS = """
    OpeningScreen { align: center middle; }
    OpeningScreen > Vertical { width: 90%; max-width: 100; height: auto; max-height: 90%;
                               border: round $border; padding: 0 1; }
    OpeningScreen TextLines { height: auto; min-height: 3; max-height: 8; }
    OpeningScreen Bars { height: 1; }
    OpeningScreen.-failed TextLines { height: 14; }
    OpeningScreen.-failed Bars { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "acknowledge", "back"),
        Binding("down,j", "scroll(1)", "down"),
        Binding("up,k", "scroll(-1)", "up"),
    ]

    class Progressed(Message):
        """The progress of the work."""

        def __init__(self, what: str, done: int, total: int) -> None:
            super().__init__()
            self.what, self.done, self.total = what, done, total

        def can_replace(self, message: Message) -> bool:
            """A newer report makes an older one pointless."""
            return isinstance(message, type(self))

    class Finished(Message):
        """The work has ended: with its traces, or an error."""

        def __init__(self, traces: Trace | Traces | None, problem: str = "") -> None:
            super().__init__()
            self.traces, self.problem = traces, problem

    def __init__(self, opening: Opening, look: Look) -> None:
        super().__init__()
        self.opening, self.look = opening, look
        self.text, self.bar = TextLines(look, wraps=True), Bars(look)
        self.failed = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.text
            yield self.bar

    def on_mount(self) -> None:
        """Begin."""
        self._show_progress(self.opening.first, 0, 1)
        self._record()

    @work(thread=True, exclusive=True, group="record", exit_on_error=False)
    def _record(self) -> None:
        worker = get_current_worker()
        last_report = 0.0

        def progress(what: str, done: int, total: int) -> None:
            nonlocal last_report
            if worker.is_cancelled:
                raise Cancelled
            if monotonic() - last_report > _EVERY:
                last_report = monotonic()
                self.post_message(self.Progressed(what, done, total))

        try:
            traces = self.opening.work(progress)
            prepare(traces)
            self.post_message(self.Finished(traces))
        except Cancelled:
            self.post_message(self.Finished(None))
        except (UserError, ValueError, TypeError) as error:
            self.post_message(self.Finished(None, str(error)))
        except (RuntimeError, MemoryError) as error:
            self.post_message(self.Finished(None, f"torch could not run this model: {error}"))

    def on_opening_screen_progressed(self, message: Progressed) -> None:
        """Show how far it is."""
        self._show_progress(message.what, message.done, message.total)

    def on_opening_screen_finished(self, message: Finished) -> None:
        """Go on with the traces, or show what went wrong until Enter or Escape."""
        if not message.problem:
            self.dismiss(message.traces)
            return
        self.failed = True
        self.add_class("-failed")
        lines = [((line, "text"),) for line in message.problem.splitlines()]
        self.text.set_lines(
            [
                ((f"{self.opening.name} could not be opened", "error"),),
                (),
                *lines,
                (),
                (("Esc  back", "muted"),),
            ]
        )

    def action_leave(self) -> None:
        """Cancel the recording, or leave a problem that was shown."""
        if self.failed:
            self.dismiss(None)
        else:
            self.workers.cancel_group(self, "record")
            self._show_progress("stopping", 0, 1)

    def action_acknowledge(self) -> None:
        """Leave a problem that was shown."""
        if self.failed:
            self.dismiss(None)

    def action_scroll(self, rows: int) -> None:
        """Scroll a long list of problems."""
        self.text.scroll_to_row(self.text.top + rows)

    def _show_progress(self, what: str, done: int, total: int) -> None:
        count = f"{done:,} of {total:,} timesteps, forward and back" if total > 1 else ""
        self.text.set_lines(
            [
                ((f"{self.opening.doing} {self.opening.name}", "title"),),
                ((what or self.opening.first, "accent"), (f"  {count}", "muted")),
                (("Esc  cancel", "muted"),),
            ]
        )
        self.bar.set_data(np.array([done / max(1, total)]), 0.0, 1.0, "sequential", (), None, ("accent",))
