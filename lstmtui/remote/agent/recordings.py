"""Where an agent keeps what it records, so that a lost link does not lose the recording."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from lstmtui.errors import UserError
from lstmtui.remote.wire.messages import SESSION_DIGITS, Open
from lstmtui.state_directory import state_directory
from lstmtui.trace import Trace, Traces, is_trace, load
from lstmtui.trace.file_lock import lock

OLDEST = 2 * 24 * 3600
"""Seconds after which the recordings of a lost session are removed."""
_LOCK = "lock"
_NAME = re.compile(rf"[0-9a-f]{{{SESSION_DIGITS}}}")
_LOOK_AGAIN = 0.2
"""Seconds between two looks at whether another agent is done."""

Record = Callable[[], Traces]


class Recordings:
    """The recordings of one session, below the user's state directory.

    Args:
        session: its name, 32 hexadecimal digits.

    Raises:
        UserError: the name is none.
    """

    def __init__(self, session: str) -> None:
        if not _NAME.fullmatch(session):
            raise UserError("the client gave the session a name that no lstmtui gives")
        self.folder = _root() / session

    def file(self, target: Open) -> Path:
        """Where the recording of a target is kept."""
        what = repr((target.path, target.device, target.dtype)).encode("utf-8", "replace")
        return self.folder / f"{hashlib.sha256(what).hexdigest()[:16]}.trace"

    def recorded(
        self, target: Open, record: Record, again: Record, waiting: Callable[[], object]
    ) -> Trace | Traces:
        """What was recorded of a target before, else what `record` makes now, which is kept.

        Args:
            target: what is opened.
            record: makes the recording.
            again: makes it once more, without telling anybody; for the what-ifs of code that an earlier agent
                recorded.
            waiting: called again and again while an earlier agent still records; raises to stop.

        Raises:
            UserError: it cannot be written or read.
        """
        file, made = self.file(target), dict[str, Trace]()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.folder / _LOCK).open("wb") as stream:
                while lock(stream.fileno()) is False:
                    waiting()
                    time.sleep(_LOOK_AGAIN)
                if not is_trace(file):
                    made = record()
                    made.save(file)
        except OSError as error:
            raise UserError(f"{file}: cannot be written: {(error.strerror or '').lower()}") from error
        return _able_to_run_again(load(file), made, again)

    def remove(self) -> None:
        """Forget everything of this session."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _able_to_run_again(traces: Trace | Traces, made: Mapping[str, Trace], again: Record) -> Trace | Traces:
    """The traces of a file, whose code runs again for what-ifs as that of those that were just made does."""
    runs = {name: trace.rerun_source for name, trace in made.items()}

    def run_again(name: str, *arguments: Any) -> Trace:
        if name not in runs:
            runs.update((own, trace.rerun_source) for own, trace in again().items())
        rerun = runs.get(name)
        if rerun is None:
            raise UserError(f"{name}: its code was not recorded to its end")
        return rerun(*arguments)

    for name, trace in (traces if isinstance(traces, Traces) else {traces.name: traces}).items():
        if any(layer.source is not None for layer in trace.layers):
            trace.rerun_source = partial(run_again, name)
    return traces


def remove_leftovers() -> None:
    """Remove what sessions of days ago left, unless an agent still records there."""
    with suppress(OSError):
        for folder in _root().iterdir():
            if _NAME.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > OLDEST:
                with (folder / _LOCK).open("wb") as stream:
                    if lock(stream.fileno()):
                        shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return state_directory() / "recordings"
