"""A trace that is being recorded, polled while it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lstmtui.errors import UserError
from lstmtui.trace.lazy_arrays import LazyArrays
from lstmtui.trace.manifest import Mark, marks_of, read_manifest
from lstmtui.trace.storage import traces_of
from lstmtui.trace.trace import Trace
from lstmtui.trace.traces import Traces

LIVE_STATE = "live"
"""What `state` says while a trace grows."""


class Follower(Protocol):
    """What a front end polls, off its event loop."""

    @property
    def state(self) -> str:
        """ "live" while it grows, how it ended after that, "ended at t=99"; empty where it never grew."""

    def poll(self) -> Trace | Traces | None:
        """The new traces if they changed since the last call, else None."""


class Growth:
    """Follows the trace in a directory: it may not be there yet, may grow, end, and be replaced by another.

    Data is on disk before a manifest names it, and every array of what `poll` gives is mapped, so that it
    can be read to its end whatever becomes of the directory.

    Args:
        path: the directory.
    """

    def __init__(self, path: str | Path) -> None:
        self._target = Path(path)
        self._seen: tuple[Mark | None, ...] | None = None
        self._state = ""

    @property
    def state(self) -> str:
        """ "live", "ended at t=…" or "stopped at t=…"; empty for a trace that was complete from the start."""
        return self._state

    def poll(self) -> Trace | Traces | None:
        """The new traces if they changed since the last call, else None.

        Returns:
            None where nothing is new, or there is no trace so far.

        Raises:
            UserError: what is there is damaged.
        """
        # Looked at before it is read: what is replaced meanwhile is then read again, and never missed.
        marks = marks_of(self._target)
        if not any(marks) or (marks == self._seen and self._state != LIVE_STATE):
            return None
        try:
            manifest, alive = read_manifest(self._target)
            if marks == self._seen and alive:
                return None
            traces = traces_of(self._target, manifest, alive=alive)
            for trace in _each(traces):
                if isinstance(trace.arrays, LazyArrays):
                    trace.arrays.read_all()
        except (UserError, FileNotFoundError):
            if marks_of(self._target) == marks:
                raise
            return None
        self._seen = marks
        self._state = self._state_of(traces, alive=alive)
        return traces

    def _state_of(self, traces: Trace | Traces, *, alive: bool) -> str:
        if alive:
            return LIVE_STATE
        header = _each(traces)[-1].header
        if header.live:
            return f"stopped at t={header.steps - 1} of {header.live - 1}"
        return f"ended at t={header.steps - 1}" if self._state else ""


def _each(traces: Trace | Traces) -> list[Trace]:
    return [traces] if isinstance(traces, Trace) else list(traces.values())
