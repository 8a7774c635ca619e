"""The client: what a session asks of its arrays and its models when they are on an agent's machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import get_ident
from typing import Any, BinaryIO

from msgspec import Raw, structs

from lstmtui.analysis.laws import HeldLaws
from lstmtui.remote.client.connector import Connector
from lstmtui.remote.client.dispatcher import Dispatcher, Progress
from lstmtui.remote.client.opening import Reopening, checked, shown
from lstmtui.remote.client.pending_request import PendingRequest
from lstmtui.remote.client.query_request import (
    CacheableRequest,
    QueryRequest,
    elements_request,
    place_of,
    runs_of,
)
from lstmtui.remote.client.reconnector import Reconnector, RetryPolicy
from lstmtui.remote.client.remote_arrays import reference_of, remote_trace
from lstmtui.remote.client.verdict_checks import checked_laws
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, map_texts
from lstmtui.remote.wire.messages import (
    SESSION_DIGITS,
    Elements,
    ExportRequest,
    HoldLaws,
    Load,
    Open,
    Poll,
    Request,
    Rerun,
)
from lstmtui.remote.wire.references import Opened, RunDescription, RunReference
from lstmtui.trace import Trace, Traces
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.view import NotReady, Query, View

_BYTES_OF_A_NUMBER = 32
"""Of an export at most, as text."""
_BYTES_BESIDE = 1 << 24


class Client:
    """A session's arrays and engine on an agent's machine; a `RemoteBackend` and an `Engine`.

    Args:
        connector: connects to an agent, as often as it has to.
        retry_policy: how a lost link is tried again.
    """

    def __init__(self, connector: Connector, retry_policy: RetryPolicy | None = None) -> None:
        self.on_update: Callable[[], None] | None = None
        """Called from any thread when an answer has come, or `link_status` has changed."""
        self.impatient: int | None = None
        """The thread that may not wait for answers, as `threading.get_ident` names it."""
        self._dispatcher = Dispatcher()
        session = secrets.token_hex(SESSION_DIGITS // 2)
        self._reconnector = Reconnector(
            connector, self._dispatcher, session, self._news, retry_policy or RetryPolicy()
        )
        self._opening: dict[Open, PendingRequest] = {}
        """What the agent opens while nobody waits for it yet."""
        self._opened: Opened | None = None
        self._generation = 0
        self._runs: dict[RunReference, Trace] = {}
        self._laws: dict[HoldLaws, HeldLaws] = {}

    def connect(self) -> None:
        """Connect, while ssh may still ask for a password on the terminal.

        Raises:
            UserError: there is no connection.
        """
        self._reconnector.start()

    def begin_to_open(self, target: Open) -> None:
        """Let the agent begin to open what `open` will wait for, while a screen is made for it."""

        def take(value: Raw) -> Opened:
            opened = checked(decode(Opened, value))
            # The link may be lost before anybody waits for this: then the next agent is to open it too.
            self._dispatcher.reopening = Reopening(target, opened, self._dispatcher.fail)
            return opened

        self._opening[target] = self._dispatcher.submit(target, take)

    def open(self, target: Open, progress: Progress | None = None) -> Trace | Traces:
        """Open a scenario or a saved trace of the agent's machine.

        Args:
            target: its path, and how to run it.
            progress: called with how far a recording is; may raise `lstmtui.Cancelled`.

        Raises:
            UserError: it cannot be opened.
        """
        if target not in self._opening:
            self.begin_to_open(target)
        pending = self._opening.pop(target)

        def report(activity: str, done: int, total: int) -> None:
            if progress is not None:
                path = pending.recorded_at
                kept = f"recording to {path}, and on if the link is lost" if path else ""
                progress(
                    self.link_status or "; ".join(part for part in (activity, kept) if part), done, total
                )

        return self._traces(self._dispatcher.wait(pending, report))

    @property
    def state(self) -> str:
        """ "live" while what was opened grows, how it ended after that; empty where it never grew."""
        return "" if self._opened is None else self._opened.state

    def poll(self) -> Trace | Traces | None:
        """The new traces if they changed since the last call, as `trace.growth.Follower` has it; else None.

        Raises:
            UserError: what was opened is damaged by now, or there is no link.
        """
        if self._opened is None:
            return None

        def take(value: Raw) -> Opened | None:
            opened = decode(Opened | None, value)
            return None if opened is None else checked(opened)

        opened: Opened | None = self._dispatcher.wait(self._dispatcher.submit(Poll(self._opened.token), take))
        if opened is None:
            return None
        self._generation += 1
        reopening = self._dispatcher.reopening
        assert isinstance(reopening, Reopening)
        self._dispatcher.reopening = Reopening(reopening.target, opened, self._dispatcher.fail)
        return self._traces(opened)

    @property
    def link_status(self) -> str:
        """What is wrong with the link, in words that fit a header; empty where all is well."""
        return self._reconnector.link_status

    def answer(self, view: View, query: Query, arguments: Mapping[str, Any]) -> Any:
        """The answer to a query, at once where it is cached, else waited for.

        Raises:
            NotReady: the answer is not here yet, and this is the thread that may not wait.
            UserError: what the query raised, or why there can be no answer.
            Cancelled: `cancel` was called.
        """
        request = QueryRequest.of(view, query, arguments)
        self._dispatcher.note(request)
        return self._answer(request.cacheable)

    def rerun(
        self,
        trace: Trace,
        edits: Sequence[Edit],
        loss_at: LossAt | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Trace:
        """The run of a trace with its what-ifs, made on the agent's machine.

        Raises:
            UserError: it cannot be run again, or there is no link.
        """
        run = structs.replace(reference_of(trace), edits=tuple(edits), loss=loss_at)
        report = None if progress is None else lambda activity, done, total: progress(done, total)
        description: RunDescription = self._do(Rerun(run), RunDescription, report)
        return self._trace(description, run, trace)

    def laws(
        self,
        trace: Trace,
        progress: Callable[[str, float], None] | None = None,
        only: Collection[str] = (),
    ) -> HeldLaws:
        """The laws of state, held on the agent's machine.

        Raises:
            UserError: they cannot be held there, or there is no link.
        """
        request = HoldLaws(RunReference(reference_of(trace).model), tuple(only))
        report = None if progress is None else lambda law, done, total: progress(law, float(total))
        if request not in self._laws:
            self._laws[request] = checked_laws(trace, self._do(request, HeldLaws, report))
        return self._laws[request]

    def load(self, path: str, model: str) -> Trace | None:
        """A run that was saved on the agent's machine; None where the path has no trace.

        Raises:
            UserError: it cannot be read, or there is no such model in it.
        """
        names = list(self._opened.models) if self._opened else []
        run = RunReference(names.index(model) if model in names else 0, path=path)
        description: RunDescription | None = self._do(Load(run), RunDescription | None)
        return None if description is None else self._trace(description, run)

    def export(self, view: View, name: str, file: BinaryIO) -> None:
        """Write what the agent exports to a file of this machine.

        Raises:
            UserError: it cannot be exported, or there is no link.
        """
        request = ExportRequest(name, place_of(view), runs_of(view))
        most = _BYTES_BESIDE + _BYTES_OF_A_NUMBER * sum(a.size for a in view.trace.arrays.values())
        written = 0

        def write(part: bytes) -> None:
            nonlocal written
            written += len(part)
            if written > most:
                raise ProtocolError(f"{name}: the agent sends more than this run can come to")
            file.write(part)

        pending = self._dispatcher.submit(request, lambda value: decode(int, value), parts=True)
        if self._dispatcher.wait(pending, part=write) != written:
            raise ProtocolError(f"{name}: part of the export is missing")

    def cancel(self) -> None:
        """Make every thread that waits for an answer give up, with `lstmtui.Cancelled`."""
        self._dispatcher.cancel()

    def reconnect(self) -> None:
        """Try a lost link again now."""
        self._reconnector.retry()

    def close(self) -> None:
        """Leave: the agent ends, and forgets what it recorded."""
        self._reconnector.close()

    def _do(self, request: Request, annotation: Any, progress: Progress | None = None) -> Any:
        pending = self._dispatcher.submit(request, lambda value: map_texts(decode(annotation, value), shown))
        return self._dispatcher.wait(pending, progress)

    def _news(self) -> None:
        if self.on_update is not None:
            self.on_update()

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
        return self._answer(elements_request(request))

    def _answer(self, cacheable: CacheableRequest) -> Any:
        if get_ident() != self.impatient:
            return self._dispatcher.answer(cacheable)
        reply = self._dispatcher.reply_now(cacheable)
        if reply is None:
            raise NotReady
        return reply.unwrap()
