"""What an agent does for each request."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any, Protocol

import msgspec
import numpy as np

from lstmtui.analysis.preparation import prepare
from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.playback.export import export
from lstmtui.remote.agent.queries import every_query
from lstmtui.remote.agent.recordings import Recordings
from lstmtui.remote.agent.run_store import RunStore, describe
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, encode
from lstmtui.remote.wire.messages import (
    Answer,
    Elements,
    ExportRequest,
    HoldLaws,
    Load,
    Open,
    Poll,
    Request,
    Rerun,
)
from lstmtui.remote.wire.references import Opened, RunReference
from lstmtui.session.held_laws import LawEngine
from lstmtui.session.what_ifs import Engine
from lstmtui.trace import Trace, Traces, load
from lstmtui.trace.growth import Growth

LARGEST_PART = 1 << 22
"""Bytes of an array that are sent at once."""
LOOK_AGAIN = 0.2
"""Seconds between two looks for a trace that does not exist yet."""
PART_OF_FILE = 1 << 16
"""Bytes of an export in one message."""

Progress = Callable[[str, int, int], None]


class ModelRunner(Protocol):
    """Reads scenarios and runs models on the agent's machine."""

    @property
    def engine(self) -> Engine:
        """What runs models again."""

    def record(self, path: Path, target: Open, progress: Progress) -> Traces:
        """The recording of a scenario.

        Raises:
            UserError: it has problems.
        """

    def remember(self, path: Path, target: Open, traces: Mapping[str, Trace]) -> None:
        """These traces, by the name of the model, are of that scenario."""


@dataclass
class Reporter:
    """Reports the progress of one request to the client."""

    progress: Progress
    """Report progress; raises `lstmtui.Cancelled` where the request was cancelled."""
    part: Callable[[bytes], None]
    """The next part of a file."""
    recording: Callable[[str], None]
    """That a recording begins, and where it is kept."""


class RequestHandler:
    """Answers requests, one after another.

    Args:
        model_runner: what runs models.
        session: the client's name for it.
    """

    def __init__(self, model_runner: ModelRunner, session: str) -> None:
        self._model_runner = model_runner
        self._recordings = Recordings(session)
        self._queries = every_query()
        self._run_store: RunStore | None = None
        self._growth: Growth | None = None
        self._opened: Opened | None = None

    def answer(self, request: Request, reporter: Reporter) -> bytes:
        """What the request asks for, encoded.

        Raises:
            UserError: it cannot be done.
            Cancelled: nobody wants it any more.
        """
        work: Callable[[RequestHandler, Any, Reporter], bytes] = self._WORK[type(request)]
        return work(self, request, reporter)

    def leave(self) -> None:
        """The client is done: forget what was recorded for it."""
        self._recordings.remove()

    @property
    def run_store(self) -> RunStore:
        """The opened runs."""
        if self._run_store is None:
            raise ProtocolError("nothing has been opened")
        return self._run_store

    def _open(self, request: Open, reporter: Reporter) -> bytes:
        try:
            path = Path(request.path).expanduser()
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{request.path}: cannot be opened: {error}") from error
        if request.wait:
            return encode(self._store(self._awaited(path, reporter)))
        if not exists:
            raise UserError(f"{request.path}: there is no such file or trace on the remote side")
        self._growth = Growth(path) if is_folder else None
        traces = self._growth.poll() if self._growth else self._recorded(path, request, reporter)
        opened = self._store(load(path) if traces is None else traces)
        return encode(opened.token if opened.token == request.token else opened)

    def _awaited(self, path: Path, reporter: Reporter) -> Trace | Traces:
        """A trace that may not exist yet, waited for."""
        if path.is_file():
            raise UserError(f"{path}: --follow is for traces; a scenario is recorded before it opens")
        self._growth = Growth(path)
        while (traces := self._growth.poll()) is None:
            reporter.progress(f"waiting for a trace at {path}", 0, 1)
            sleep(LOOK_AGAIN)
        return traces

    def _store(self, traces: Trace | Traces) -> Opened:
        prepare(traces)
        self._run_store = run_store = RunStore(traces, self._model_runner.engine)
        models = {name: describe(trace) for name, trace in run_store.traces.items()}
        state = self._growth.state if self._growth else ""
        content = repr([(name, model.header, model.arrays) for name, model in models.items()])
        token = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:32]
        self._opened = Opened(models, run_store.several, token, state)
        return self._opened

    def _recorded(self, path: Path, request: Open, reporter: Reporter) -> Trace | Traces:
        def record() -> Traces:
            reporter.recording(str(self._recordings.file(request)))
            return self._model_runner.record(path, request, reporter.progress)

        def again() -> Traces:
            return self._model_runner.record(path, request, lambda name, done, total: None)

        waiting = "an earlier agent is still recording"
        traces = self._recordings.recorded(request, record, again, lambda: reporter.progress(waiting, 0, 1))
        every = traces if isinstance(traces, Traces) else {traces.name: traces}
        self._model_runner.remember(path, request, every)
        return traces

    def _answer(self, request: Answer, reporter: Reporter) -> bytes:
        query = self._queries.get(request.query)
        if query is None:
            raise UserError(f"the remote lstmtui does not know {request.query}: update it")
        encoded = decode(dict[str, msgspec.Raw], request.arguments)
        types = query.argument_types
        if not types.keys() >= encoded.keys():
            raise ProtocolError(f"{request.query} has no such arguments")
        arguments = {name: decode(types[name], data, self._trace_of) for name, data in encoded.items()}
        view = self.run_store.view(request.runs, request.place)
        return encode(query.function(view, **arguments), half=query.picture)

    def _trace_of(self, reference: Any) -> Trace:
        return self.run_store.run(msgspec.convert(reference, RunReference))

    def _rerun(self, request: Rerun, reporter: Reporter) -> bytes:
        changed = self.run_store.run(request.run, reporter.progress)
        return encode(describe(changed, self.run_store.run(RunReference(request.run.model))))

    def _laws(self, request: HoldLaws, reporter: Reporter) -> bytes:
        engine: object = self._model_runner.engine
        if not isinstance(engine, LawEngine):
            raise UserError("the remote side cannot test laws")
        trace = self.run_store.run(RunReference(request.run.model))
        return encode(
            engine.laws(
                trace, lambda law, seconds: reporter.progress(law, 0, int(np.ceil(seconds))), request.only
            )
        )

    def _load(self, request: Load, reporter: Reporter) -> bytes:
        self.run_store.run(RunReference(request.run.model))
        saved = self.run_store.saved(request.run)
        return encode(None if saved is None else describe(saved))

    def _elements(self, request: Elements, reporter: Reporter) -> bytes:
        arrays = self.run_store.run(request.run).arrays
        keys = list(arrays)
        if not 0 <= request.key < len(keys):
            raise UserError(f"there is no array of number {request.key}")
        part = _part(arrays[keys[request.key]], request.index)
        if part.nbytes > LARGEST_PART:
            raise UserError(f"this part of the array is too large to send at once: {part.nbytes:,} bytes")
        return encode(part)

    def _export(self, request: ExportRequest, reporter: Reporter) -> bytes:
        view = self.run_store.view(request.runs, request.place)
        with tempfile.TemporaryFile() as file:
            try:
                export(view, request.name, file)
                size = file.seek(0, 2)
                file.seek(min(max(0, request.offset), size))
                while part := file.read(PART_OF_FILE):
                    reporter.part(part)
            except OSError as error:
                raise UserError(f"the agent cannot export: {(error.strerror or '').lower()}") from error
        return encode(size)

    def _poll(self, request: Poll, reporter: Reporter) -> bytes:
        grown = self._growth.poll() if self._growth else None
        if grown is not None:
            self._store(grown)
        is_known = self._opened is None or self._opened.token == request.token
        return encode(None if is_known else self._opened)

    _WORK: dict[type, Any] = {  # noqa: RUF012
        Open: _open,
        Answer: _answer,
        Rerun: _rerun,
        Load: _load,
        HoldLaws: _laws,
        Elements: _elements,
        ExportRequest: _export,
        Poll: _poll,
    }


def _part(array: Array, index: tuple[int | tuple[int, int, int], ...]) -> Array:
    try:
        return np.asarray(array[tuple(slice(*i) if isinstance(i, tuple) else i for i in index)])
    except (IndexError, ValueError) as error:
        raise UserError(f"the array has no such part: {error}") from error
