"""The near end: where the arrays of a session are, and what runs its models again, on another machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from typing import Any, BinaryIO

from msgspec import Raw, structs

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.cache import MEMORY, Answered
from lstmtui.remote.exchange import Exchange, Progress
from lstmtui.remote.jobs import Job
from lstmtui.remote.keeper import Keeper, Patience
from lstmtui.remote.link import Link
from lstmtui.remote.questions import elements_question, place_of, reading_question, runs_of
from lstmtui.remote.remote_arrays import LONGEST_WORD, remote_trace, run_of
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, map_texts
from lstmtui.remote.wire.messages import (
    SESSION_DIGITS,
    AboutRequest,
    Elements,
    Export,
    Load,
    Open,
    Poll,
    Request,
    Rerun,
)
from lstmtui.remote.wire.references import Opened, RunDescription, RunReference
from lstmtui.session import Session
from lstmtui.session.readings import Absent, Reading
from lstmtui.trace import Trace, Traces
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.growth import LIVE_STATE

_BYTES_OF_A_NUMBER = 32
"""Of an export at most, as text."""
_BYTES_BESIDE = 1 << 24


class Client:
    """A session's arrays and engine on the other end of a link; an `Elsewhere` and an `Engine`.

    Args:
        link: what connects, as often as it has to.
        memory: bytes of answers that are kept.
        patience: how a lost link is tried again.
    """

    def __init__(self, link: Link, memory: int = MEMORY, patience: Patience | None = None) -> None:
        self.on_news: Callable[[], None] | None = None
        """Called from any thread when an answer has come, or `trouble` is another."""
        self.impatient: int | None = None
        """The thread that may not wait for answers, as `threading.get_ident` names it."""
        self._exchange = Exchange(memory)
        session = secrets.token_hex(SESSION_DIGITS // 2)
        self._keeper = Keeper(link, self._exchange, session, self._news, patience or Patience())
        self._asked: dict[Open, Job] = {}
        """What is to be opened and was asked for already."""
        self._opened: Opened | None = None
        self._generation = 0
        self._runs: dict[RunReference, Trace] = {}

    def connect(self) -> None:
        """Connect, while ssh may still ask for a password on the terminal.

        Raises:
            UserError: there is no connection.
        """
        self._keeper.start()

    def ask(self, target: Open) -> None:
        """Ask for what `open` will wait for: it is opened there while a screen is made for it here."""

        def take(value: Raw) -> Opened:
            opened = _opened(decode(Opened, value))
            # The link may be lost before anybody waits for this: then the next agent is to open it too.
            self._exchange.reopening = self._reopening(target, opened)
            return opened

        self._asked[target] = self._exchange.submit(target, take)

    def open(self, target: Open, progress: Progress | None = None) -> Trace | Traces:
        """Open a scenario or a saved trace there.

        Args:
            target: its path, and how to run it.
            progress: told how far a recording is; may raise `lstmtui.Cancelled`.

        Raises:
            UserError: it cannot be opened.
        """
        if target not in self._asked:
            self.ask(target)
        job = self._asked.pop(target)

        def told(what: str, done: int, total: int) -> None:
            if progress is not None:
                kept = f"recording to {job.place}, and on if the link is lost" if job.place else ""
                progress(self.trouble or "; ".join(part for part in (what, kept) if part), done, total)

        return self._traces(self._exchange.wait(job, told))

    @property
    def state(self) -> str:
        """ "live" while what was opened grows, how it ended after that; empty where it never grew."""
        return "" if self._opened is None else self._opened.state

    def poll(self) -> Trace | Traces | None:
        """What was opened, where it is another than at the last call, as `trace.growth.Follower` has it.

        Raises:
            UserError: what is there is damaged, or there is no link.
        """
        if self._opened is None:
            return None

        def take(value: Raw) -> Opened | None:
            opened = decode(Opened | None, value)
            return None if opened is None else _opened(opened)

        opened: Opened | None = self._exchange.wait(self._exchange.submit(Poll(self._opened.token), take))
        if opened is None:
            return None
        self._generation += 1
        reopening = self._exchange.reopening
        assert reopening is not None
        assert isinstance(reopening.request, Open)
        self._exchange.reopening = self._reopening(reopening.request, opened)
        return self._traces(opened)

    @property
    def trouble(self) -> str:
        """What is wrong with the link, in words that fit a header; empty where all is well."""
        return self._keeper.trouble

    def answer(self, session: Session, reading: Reading, arguments: Mapping[str, Any]) -> Any:
        """What a reading gives there: at once where it is known, else waited for.

        Raises:
            Absent: this is the thread that may not wait.
            UserError: what the reading raised, or why there can be no answer.
            Cancelled: `cancel` was called.
        """
        asked = reading_question(session, reading, arguments)
        self._exchange.note(asked)
        if get_ident() != self.impatient:
            return self._exchange.answer(asked.question)
        return _at_once(self._exchange.found(asked.question))

    def rerun(
        self,
        trace: Trace,
        edits: Sequence[Edit],
        loss_at: LossAt | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Trace:
        """The run of a trace with its what-ifs, made there.

        Raises:
            UserError: it cannot be run again, or there is no link.
        """
        base = run_of(trace)
        run = structs.replace(base, edits=tuple(edits), loss=loss_at)
        told = None if progress is None else lambda what, done, total: progress(done, total)
        description: RunDescription = self._do(Rerun(run), RunDescription, told)
        return self._trace(description, run, trace)

    def load(self, path: str, model: str) -> Trace | None:
        """A run that was saved there; None where there is no trace.

        Raises:
            UserError: it cannot be read, or there is no such model in it.
        """
        names = list(self._opened.models) if self._opened else []
        run = RunReference(names.index(model) if model in names else 0, path=path)
        description: RunDescription | None = self._do(Load(run), RunDescription | None)
        return None if description is None else self._trace(description, run)

    def export(self, session: Session, name: str, file: BinaryIO) -> None:
        """Write here what is exported there.

        Raises:
            UserError: it cannot be exported, or there is no link.
        """
        request = Export(name, place_of(session), runs_of(session))
        most = _BYTES_BESIDE + _BYTES_OF_A_NUMBER * sum(a.size for a in session.trace.arrays.values())
        written = 0

        def write(part: bytes) -> None:
            nonlocal written
            written += len(part)
            if written > most:
                raise ProtocolError(f"{name}: the far end sends more than this run can come to")
            file.write(part)

        job = self._exchange.submit(request, lambda value: decode(int, value), parts=True)
        if self._exchange.wait(job, part=write) != written:
            raise ProtocolError(f"{name}: part of the export is missing")

    def cancel(self) -> None:
        """Every thread that waits for an answer now gives it up, with `lstmtui.Cancelled`."""
        self._exchange.cancel()

    def reconnect(self) -> None:
        """Try a lost link again now."""
        self._keeper.retry()

    def close(self) -> None:
        """Leave: the agent ends, and forgets what it recorded."""
        self._keeper.close()

    def _do(self, request: Request, annotation: Any, progress: Progress | None = None) -> Any:
        job = self._exchange.submit(request, lambda value: map_texts(decode(annotation, value), _shown))
        return self._exchange.wait(job, progress)

    def _news(self) -> None:
        if self.on_news is not None:
            self.on_news()

    def _trace(self, description: RunDescription, run: RunReference, base: Trace | None = None) -> Trace:
        return self._runs.setdefault(run, remote_trace(description, run, self._fetch, base))

    def _traces(self, opened: Opened) -> Trace | Traces:
        """What was opened."""
        traces = Traces()
        for number, (name, description) in enumerate(opened.models.items()):
            traces[name] = self._trace(description, RunReference(number, generation=self._generation))
        self._opened = opened
        return traces if opened.several else next(iter(traces.values()))

    def _fetch(self, request: Elements) -> Any:
        question = elements_question(request)
        if get_ident() != self.impatient:
            return self._exchange.answer(question)
        return _at_once(self._exchange.found(question))

    def _reopening(self, target: Open, opened: Opened) -> Job:
        """What is asked of every agent that comes after this one."""

        def take(value: Raw) -> None:
            if decode(str | Opened, value) != opened.token and opened.state != LIVE_STATE:
                raise UserError("what was opened is another one by now; open it again")

        again = structs.replace(target, token=opened.token, wait=False)
        return _Reopening(0, again, take, on_failure=self._exchange.fail)


class _Reopening(Job):
    """A job whose failure is the end: without what was opened there is nothing to ask."""

    def __init__(
        self,
        number: int,
        request: Open,
        take: Callable[[Raw], Any],
        on_failure: Callable[[UserError], None],
    ) -> None:
        super().__init__(number, request, take)
        self.sent = True
        self._on_failure = on_failure

    def receive(self, message: AboutRequest) -> None:
        """A message about it."""
        super().receive(message)
        if self.answered is not None and isinstance(self.answered.error, UserError):
            self._on_failure(self.answered.error)


def _shown(text: str) -> str:
    return printable(text, lines=True)


def _opened(opened: Opened) -> Opened:
    """What was opened, safe to show.

    Raises:
        ProtocolError: there is no model, or a text that would fill the screen.
    """
    is_short = all(len(text) <= LONGEST_WORD for text in (*opened.models, opened.token, opened.state))
    if not (opened.models and is_short):
        raise ProtocolError("what the far end opened has no model, or names that are too long")
    shown: Opened = map_texts(opened, _shown)
    if len(shown.models) != len(opened.models):
        raise ProtocolError("what the far end opened has two models of one name")
    return shown


def _at_once(answered: Answered | None) -> Any:
    if answered is None:
        raise Absent
    if answered.error is not None:
        raise answered.error.with_traceback(None)
    return answered.value
