"""What an agent does when it is asked."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any, Protocol

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.playback.export import export
from lstmtui.remote.annotations import argument_hints
from lstmtui.remote.packing import pack
from lstmtui.remote.recordings import Recordings
from lstmtui.remote.requests import Answer, Elements, Export, Load, Open, Poll, Request, Rerun
from lstmtui.remote.runs import Opened, Run
from lstmtui.remote.shelf import Shelf, described
from lstmtui.remote.structure import ProtocolError
from lstmtui.remote.unpacking import Receiving, unpack
from lstmtui.session.preparation import prepare
from lstmtui.session.readings import every_reading
from lstmtui.session.variants import Engine
from lstmtui.trace import Trace, Traces, load
from lstmtui.trace.growth import Growth

LARGEST_PART = 1 << 22
"""Bytes of an array that are sent at once."""
LOOK_AGAIN = 0.2
"""Seconds between two looks for a trace that is not there yet."""
PART_OF_FILE = 1 << 16
"""Bytes of an export in one message."""

Progress = Callable[[str, int, int], None]


class Workshop(Protocol):
    """What reads scenarios and runs models on the agent's machine."""

    @property
    def engine(self) -> Engine:
        """What runs models again."""

    def record(self, path: Path, target: Open, progress: Progress) -> Traces:
        """The recording of a scenario.

        Raises:
            UserError: it has problems.
        """


@dataclass
class Job:
    """One request while it is worked on."""

    progress: Progress
    """Tells the client how far it is; raises `lstmtui.Cancelled` where nobody wants it any more."""
    part: Callable[[bytes], None]
    """Sends a part of a file."""
    recording: Callable[[str], None]
    """Says that a recording begins, and where it is kept."""


class Desk:
    """Answers requests, one after another.

    Args:
        workshop: what runs models.
        session: the client's name for it.
    """

    def __init__(self, workshop: Workshop, session: str) -> None:
        self._workshop = workshop
        self._recordings = Recordings(session)
        self._readings = every_reading()
        self._shelf: Shelf | None = None
        self._growth: Growth | None = None
        self._opened: Opened | None = None

    def do(self, request: Request, job: Job) -> Any:
        """What the request asks for, as the wire has it.

        Raises:
            UserError: it cannot be done.
            Cancelled: nobody wants it any more.
        """
        work: Callable[[Desk, Any, Job], Any] = self._WORK[type(request)]
        return work(self, request, job)

    def leave(self) -> None:
        """The client is done: forget what was recorded for it."""
        self._recordings.remove()

    @property
    def shelf(self) -> Shelf:
        """The opened runs."""
        if self._shelf is None:
            raise ProtocolError("nothing has been opened")
        return self._shelf

    def _open(self, request: Open, job: Job) -> Any:
        try:
            path = Path(request.path).expanduser()
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{request.path}: cannot be opened: {error}") from error
        if request.wait:
            return pack(self._put_on_shelf(self._awaited(path, job)))
        if not exists:
            raise UserError(f"{request.path}: there is no such file or trace on the far end")
        self._growth = Growth(path) if is_folder else None
        found = self._growth.poll() if self._growth else self._recorded(path, request, job)
        opened = self._put_on_shelf(load(path) if found is None else found)
        return opened.token if opened.token == request.token else pack(opened)

    def _awaited(self, path: Path, job: Job) -> Trace | Traces:
        """A trace that may not be there yet."""
        if path.is_file():
            raise UserError(f"{path}: --follow is for traces; a scenario is recorded before it opens")
        self._growth = Growth(path)
        while (found := self._growth.poll()) is None:
            job.progress(f"waiting for a trace at {path}", 0, 1)
            sleep(LOOK_AGAIN)
        return found

    def _put_on_shelf(self, traces: Trace | Traces) -> Opened:
        prepare(traces)
        self._shelf = shelf = Shelf(traces, self._workshop.engine)
        models = tuple(described(trace) for trace in shelf.traces.values())
        state = self._growth.state if self._growth else ""
        about = repr([(name, m.header, m.arrays) for name, m in zip(shelf.names, models, strict=True)])
        token = hashlib.sha256(about.encode("utf-8", "replace")).hexdigest()[:32]
        self._opened = Opened(shelf.names, models, shelf.several, token, state)
        return self._opened

    def _recorded(self, path: Path, request: Open, job: Job) -> Trace | Traces:
        def record() -> Traces:
            job.recording(str(self._recordings.file(request)))
            return self._workshop.record(path, request, job.progress)

        waiting = "an earlier agent is still recording"
        return self._recordings.recorded(request, record, lambda: job.progress(waiting, 0, 1))

    def _answer(self, request: Answer, job: Job) -> Any:
        reading = self._readings.get(request.reading)
        if reading is None:
            raise UserError(f"the lstmtui of the far end does not know {request.reading}: update it")
        receiving = Receiving(trace=lambda wire: self.shelf.run(unpack(Run, wire)))
        hints = argument_hints(reading)
        if not hints.keys() >= request.arguments.keys():
            raise ProtocolError(f"{request.reading} has no such arguments")
        given = {name: unpack(hints[name], wire, receiving) for name, wire in request.arguments.items()}
        session = self.shelf.session(request.state, request.where)
        return pack(reading.function(session, **given), half=reading.picture)

    def _rerun(self, request: Rerun, job: Job) -> Any:
        changed = self.shelf.run(request.run, job.progress)
        return pack(described(changed, self.shelf.run(Run(request.run.model))))

    def _load(self, request: Load, job: Job) -> Any:
        self.shelf.run(Run(request.run.model))
        found = self.shelf.saved(request.run)
        return None if found is None else pack(described(found))

    def _elements(self, request: Elements, job: Job) -> Any:
        arrays = self.shelf.run(request.run).arrays
        keys = list(arrays)
        if not 0 <= request.key < len(keys):
            raise UserError(f"there is no array of number {request.key}")
        part = _part(arrays[keys[request.key]], request.index)
        if part.nbytes > LARGEST_PART:
            raise UserError(f"so large a part of an array does not travel at once: {part.nbytes:,} bytes")
        return pack(part)

    def _export(self, request: Export, job: Job) -> Any:
        session = self.shelf.session(request.state, request.where)
        with tempfile.TemporaryFile() as file:
            try:
                export(session, request.name, file)
                size = file.seek(0, 2)
                file.seek(min(max(0, request.offset), size))
                while part := file.read(PART_OF_FILE):
                    job.part(part)
            except OSError as error:
                raise UserError(f"the far end cannot export: {(error.strerror or '').lower()}") from error
        return size

    def _poll(self, request: Poll, job: Job) -> Any:
        grown = self._growth.poll() if self._growth else None
        if grown is not None:
            self._put_on_shelf(grown)
        return None if self._opened is None or self._opened.token == request.token else pack(self._opened)

    _WORK: dict[type, Any] = {  # noqa: RUF012
        Open: _open,
        Answer: _answer,
        Rerun: _rerun,
        Load: _load,
        Elements: _elements,
        Export: _export,
        Poll: _poll,
    }


def _part(array: Array, index: tuple[int | tuple[int, int, int], ...]) -> Array:
    try:
        return np.asarray(array[tuple(slice(*i) if isinstance(i, tuple) else i for i in index)])
    except (IndexError, ValueError) as error:
        raise UserError(f"the array has no such part: {error}") from error
