"""The near end: where the arrays of a session are, and what runs its models again, on another machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from threading import get_ident
from typing import Any, BinaryIO

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.cache import MEMORY, Answered
from lstmtui.remote.exchange import Exchange, Progress
from lstmtui.remote.jobs import Job
from lstmtui.remote.keeper import Keeper, Patience
from lstmtui.remote.link import Link
from lstmtui.remote.packing import pack
from lstmtui.remote.questions import elements_question, reading_question, state_of, where_of
from lstmtui.remote.remote_arrays import LONGEST_WORD, remote_trace, run_of
from lstmtui.remote.requests import SESSION_DIGITS, Elements, Export, Load, Open, Poll, Rerun
from lstmtui.remote.runs import Model, Opened, Run
from lstmtui.remote.structure import ProtocolError
from lstmtui.remote.unpacking import Receiving, unpack
from lstmtui.session import Session
from lstmtui.session.readings import Absent, Reading
from lstmtui.trace import Trace, Traces
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.growth import LIVE_STATE

_BYTES_OF_A_NUMBER = 32
"""Of an export at most, as text."""
_BYTES_BESIDE = 1 << 24
_SHOWN = Receiving(lambda text: printable(text, lines=True))


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
        self._runs: dict[Run, Trace] = {}

    def connect(self) -> None:
        """Connect, while ssh may still ask for a password on the terminal.

        Raises:
            UserError: there is no connection.
        """
        self._keeper.start()

    def ask(self, target: Open) -> None:
        """Ask for what `open` will wait for: it is opened there while a screen is made for it here."""
        message = {"do": "open", **asdict(target)}

        def take(wire: Any) -> Opened:
            opened = self._take_opened(wire)
            # The link may be lost before anybody waits for this: then the next agent is to open it too.
            self._exchange.reopening = self._reopening(message, opened)
            return opened

        self._asked[target] = self._exchange.submit(message, take)

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
        message = {"do": "poll", **asdict(Poll(self._opened.token))}
        job = self._exchange.submit(message, lambda wire: None if wire is None else self._take_opened(wire))
        opened: Opened | None = self._exchange.wait(job)
        if opened is None:
            return None
        self._generation += 1
        assert self._exchange.reopening is not None
        self._exchange.reopening = self._reopening(self._exchange.reopening.message, opened)
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
        asked = reading_question(session, reading, arguments, self._resolved)
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
        run = replace(base, edits=tuple(edits), loss=loss_at)
        told = None if progress is None else lambda what, done, total: progress(done, total)
        model: Model = self._do({"do": "rerun", **pack(Rerun(run))}, Model, told)
        return self._trace(model, run)

    def load(self, path: str, model: str) -> Trace | None:
        """A run that was saved there; None where there is no trace.

        Raises:
            UserError: it cannot be read, or there is no such model in it.
        """
        names = self._opened.names if self._opened else ()
        run = Run(names.index(model) if model in names else 0, path=path)
        found: Model | None = self._do({"do": "load", **pack(Load(run))}, Model | None)
        return None if found is None else self._trace(found, run)

    def export(self, session: Session, name: str, file: BinaryIO) -> None:
        """Write here what is exported there.

        Raises:
            UserError: it cannot be exported, or there is no link.
        """
        request = Export(name, where_of(session), state_of(session))
        most = _BYTES_BESIDE + _BYTES_OF_A_NUMBER * sum(a.size for a in session.trace.arrays.values())
        written = 0

        def write(part: bytes) -> None:
            nonlocal written
            written += len(part)
            if written > most:
                raise ProtocolError(f"{name}: the far end sends more than this run can come to")
            file.write(part)

        message = {"do": "export", **pack(request)}
        job = self._exchange.submit(message, lambda wire: unpack(int, wire), parts=True)
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

    def _do(self, message: dict[str, Any], kind: Any, progress: Progress | None = None) -> Any:
        job = self._exchange.submit(message, lambda wire: unpack(kind, wire, _SHOWN))
        return self._exchange.wait(job, progress)

    def _news(self) -> None:
        if self.on_news is not None:
            self.on_news()

    def _trace(self, model: Model, run: Run) -> Trace:
        return self._runs.setdefault(run, remote_trace(model, run, self._fetch))

    def _resolved(self, wire: Any) -> Trace:
        """The trace a reference of an answer stands for."""
        run = unpack(Run, wire)
        if run not in self._runs:
            raise ProtocolError("the far end speaks of a run that nobody has asked for")
        return self._runs[run]

    def _traces(self, opened: Opened) -> Trace | Traces:
        """What was opened."""
        traces = Traces()
        for number, (name, model) in enumerate(zip(opened.names, opened.models, strict=True)):
            traces[name] = self._trace(model, Run(number, generation=self._generation))
        self._opened = opened
        return traces if opened.several else next(iter(traces.values()))

    def _fetch(self, request: Elements) -> Any:
        question = elements_question(request.run, request.key, request.index)
        if get_ident() != self.impatient:
            return self._exchange.answer(question)
        return _at_once(self._exchange.found(question))

    def _take_opened(self, wire: Any) -> Opened:
        opened: Opened = unpack(Opened, wire, _SHOWN)
        names, models = opened.names, opened.models
        is_short = all(len(text) <= LONGEST_WORD for text in (*names, opened.token, opened.state))
        if not (0 < len(names) == len(models) == len(set(names)) and is_short):
            raise ProtocolError("what the far end opened has no model, or two of one name")
        return opened

    def _reopening(self, message: dict[str, Any], opened: Opened) -> Job:
        """What is asked of every agent that comes after this one."""

        def take(wire: Any) -> None:
            if wire != opened.token and opened.state != LIVE_STATE:
                raise UserError("what was opened is another one by now; open it again")

        return _Reopening(
            0, {**message, "token": opened.token, "wait": False}, take, on_failure=self._exchange.fail
        )


class _Reopening(Job):
    """A job whose failure is the end: without what was opened there is nothing to ask."""

    def __init__(
        self,
        number: int,
        message: dict[str, Any],
        take: Callable[[Any], Any],
        on_failure: Callable[[UserError], None],
    ) -> None:
        super().__init__(number, message, take)
        self.sent = True
        self._on_failure = on_failure

    def receive(self, message: dict[str, Any]) -> None:
        """A message about it."""
        super().receive(message)
        if self.answered is not None and isinstance(self.answered.error, UserError):
            self._on_failure(self.answered.error)


def _at_once(answered: Answered | None) -> Any:
    if answered is None:
        raise Absent
    if answered.error is not None:
        raise answered.error.with_traceback(None)
    return answered.value
