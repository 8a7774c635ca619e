"""A scenario's script as a lesson: turned page by page, in a session that is put back afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from textual.timer import Timer

from lstmtui.expressions import open_vocabulary
from lstmtui.playback.lesson import Page, pages_of
from lstmtui.session import Command, Outcome, ScriptError, Session
from lstmtui.session.grading import Grade
from lstmtui.session.parse import parse_script
from lstmtui.session.snapshot import Snapshot, start_clean

WAIT = 0.1
"""Seconds until it is looked again whether the screen has caught up."""


@dataclass(frozen=True, eq=False)
class TurnedPage:
    """A page that was turned: what it showed, and where it left the session."""

    said: tuple[str, ...]
    grade: Grade | None
    after: Snapshot


class LessonGuide:
    """Turns the pages of a lesson.

    Args:
        session: whose scenario has the script.
        set_timer: calls something after so many seconds.
        is_behind: whether the screen does not show yet where the session is: the clock waits for it.
        start: executes a command.
        show: draws everything again: the page, and the session, which may be at another place.
        report: shows why something cannot be done.
        finished: called when the last page has been read and all that it expects holds.
    """

    def __init__(
        self,
        session: Session,
        set_timer: Callable[[float, Callable[[], None]], Timer],
        is_behind: Callable[[], bool],
        start: Callable[[Command], None],
        show: Callable[[], None],
        report: Callable[[Outcome], None],
        finished: Callable[[], None],
    ) -> None:
        self._session, self._set_timer, self._is_behind = session, set_timer, is_behind
        self._start, self._show, self._report, self._finished = start, show, report, finished
        self.pages: tuple[Page, ...] = ()
        self.position = 0
        """Of the page that is on screen."""
        self.said: list[str] = []
        """What came of the commands of this page, as far as it is worth saying."""
        self.problem = ""
        """Why the lesson stops here; empty where it does not."""
        self._turned: list[TurnedPage] = []
        self._due: deque[Command] = deque()
        """The commands of this page that are still to be executed."""
        self._executing: Command | None = None
        self._grade: Grade | None = None
        self.aside: Snapshot | None = None
        """The user's own session, while a lesson is given."""
        self._timer: Timer | None = None

    @property
    def is_active(self) -> bool:
        """Whether a lesson is on screen."""
        return self.aside is not None

    @property
    def plays(self) -> bool:
        """Whether pages turn by themselves."""
        return self._timer is not None

    @property
    def page(self) -> Page:
        """The page that is on screen."""
        return self.pages[self.position]

    @property
    def is_last(self) -> bool:
        """Whether there is no page after this one, and all of it has been read."""
        return self.position == len(self.pages) - 1 and len(self._turned) == len(self.pages)

    @property
    def waits_for_answer(self) -> bool:
        """Whether this page has asked something that has not been answered."""
        return self.is_active and self._session.question is not None

    @property
    def grades(self) -> list[Grade | None]:
        """How near each answer came, in order; None where none was given."""
        return [t.grade for page, t in zip(self.pages, self._turned, strict=False) if page.question]

    def toggle(self) -> None:
        """Begin the lesson, continue it where it was left, or leave it."""
        if self.is_active:
            self.leave()
            return
        if not self._turned or len(self._turned) == len(self.pages):
            try:
                script = parse_script(self._session.trace.header.script, "script", open_vocabulary())
            except ScriptError as error:
                self._report(Outcome(False, str(error.problems[0])))
                return
            self.pages, self._turned, self.position = pages_of(script), [], 0
        if not self.pages:
            self._report(Outcome(False, "this scenario has no playback script"))
            return
        self.aside = Snapshot.take(self._session)
        if self._turned:
            self._turn_to(min(self.position, len(self._turned) - 1))
        else:
            self._read(0)

    def leave(self) -> None:
        """Put the user's own session back; the lesson goes on from this page the next time."""
        self.hold()
        self._due.clear()
        self._executing = None
        if self.aside is not None:
            self.aside.restore(self._session)
            self.aside = None
        self._show()

    def next(self) -> None:
        """Turn to the next page; of one that could not be read to its end, read it again."""
        if not self.is_active or self._executing is not None or self.waits_for_answer:
            return
        if self.problem:
            self._read(self.position)
        elif self.position + 1 < len(self._turned):
            self._turn_to(self.position + 1)
        elif self.position + 1 < len(self.pages):
            self._read(self.position + 1)

    def back(self) -> None:
        """Turn to the page before."""
        if self.is_active and self._executing is None and self.position > 0:
            self._turn_to(self.position - 1)

    def play(self) -> None:
        """Turn pages automatically, or stop doing so."""
        if self.plays:
            self.hold()
        elif self.is_active:
            self._timer = self._set_timer(self._seconds, self._tick)
        self._show()

    def hold(self) -> None:
        """Stay on this page."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def is_executing(self, command: Command) -> bool:
        """Whether this very command is one of the lesson's own that runs now."""
        return command is self._executing

    def took(self, command: Command, outcome: Outcome) -> bool:
        """Take the outcome of any command; returns whether the command was one of the lesson."""
        if not self.is_active:
            return False
        if command is self._executing:
            self._executing = None
            self._take(outcome)
            if self.problem:
                self._due.clear()
                self.hold()
            self._go_on()
            return True
        if self._asks and self._session.question is None and outcome.ok:  # answered, or given up
            self.said, self._grade = [outcome.text], outcome.grade
            self._go_on()
            return True
        return False

    @property
    def _asks(self) -> bool:
        """Whether this page has a question whose answer it waits for."""
        return self.page.question is not None and len(self._turned) == self.position and not self.problem

    def _take(self, outcome: Outcome) -> None:
        """What one of the lesson's commands is worth saying: an `expect` that holds is silent."""
        if outcome.expect is False:
            self.problem = (
                f"Expected here, and not so: {outcome.text}. This run is another one than was written about"
            )
        elif not outcome.ok:
            self.problem = f"This cannot be done here: {outcome.text}"
        elif outcome.value is not None or outcome.notes:
            self.said += [outcome.text, *(f"t={t}: {text}" for t, text in outcome.notes)]

    def _read(self, position: int) -> None:
        """Read a page for the first time, from where the page before it has left the session."""
        if position:
            self._turned[position - 1].after.restore(self._session)
        else:
            start_clean(self._session)
        self.position, self.said, self.problem, self._grade = position, [], "", None
        del self._turned[position:]
        self._due = deque(self.page.commands)
        self._go_on()

    def _turn_to(self, position: int) -> None:
        """A page that has been read before, as it was."""
        self._turned[position].after.restore(self._session)
        self.position, self.problem = position, ""
        self.said, self._grade = list(self._turned[position].said), self._turned[position].grade
        self._play_on()
        self._show()

    def _go_on(self) -> None:
        """Execute what is due on this page, up to a question or what takes long."""
        while self._due and self._executing is None and self._session.question is None:
            self._executing = command = self._due.popleft()
            self._start(command)
        if self._executing is None and not self._due and not self._is_read and self._session.question is None:
            self._end_page()
        self._show()

    @property
    def _is_read(self) -> bool:
        return len(self._turned) > self.position or bool(self.problem)

    def _end_page(self) -> None:
        """Everything on this page has been done: remember it."""
        place = self.page.place
        if place is not None and place[0] in self._session.trace.quantities(self._session.cursor.layer):
            self._session.select_unit(place[1])
        self._turned.append(TurnedPage(tuple(self.said), self._grade, Snapshot.take(self._session)))
        if self.is_last:
            self.hold()
            self._finished()
        self._play_on()

    @property
    def _seconds(self) -> float:
        question = self.page.question
        texts = [self.page.note, question.text if question else "", *self.said]
        return self.page.seconds(sum(len(text.split()) for text in texts))

    def _play_on(self) -> None:
        if self.plays:
            self.hold()
            self._timer = self._set_timer(self._seconds, self._tick)

    def _tick(self) -> None:
        if self._timer is None:  # held at the moment at which the timer went off
            return
        if self.is_last:
            self.hold()
            self._show()
            return
        self._timer = self._set_timer(WAIT, self._tick)
        if not self._is_behind() and self._executing is None and not self.waits_for_answer:
            self.next()
