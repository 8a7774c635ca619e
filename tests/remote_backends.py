"""Remote backends in one process: numbers come only by answers, which are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct

from lstmtui.errors import Cancelled
from lstmtui.expressions import Expression
from lstmtui.playback import export
from lstmtui.session import Session
from lstmtui.session.compare import saved_run
from lstmtui.session.what_ifs import Engine
from lstmtui.trace import Trace, Traces
from lstmtui.view import NotReady, Query, View


class Away:
    """An array that is not here: its shape and its type are, no number is."""

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> Any:
        part = np.broadcast_to(np.zeros((), self.dtype), self.shape)[index]
        assert part.size == 0, "numbers were read that are elsewhere"
        return np.empty(part.shape, part.dtype)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an array was read that is elsewhere")


class Echo:
    """Answers at once, from views of the real runs.

    Fields of the cursor that a query does not name are not those of the view that is asked of.
    """

    def __init__(self) -> None:
        self.on_update: Callable[[], None] | None = None
        self.link_status = ""
        self.sizes: list[tuple[str, int]] = []
        """(name, bytes) of each answer."""
        self._real: dict[Trace, Trace] = {}

    def away(self, trace: Trace) -> Trace:
        """The run as it looks from far away."""
        arrays = {key: Away(array) for key, array in trace.arrays.items()}
        if "lengths" in trace.arrays:
            arrays["lengths"] = trace.arrays["lengths"]  # type: ignore[assignment]
        seen = Trace(trace.header, arrays)  # type: ignore[arg-type]
        self._real[seen] = trace
        return seen

    def session(self, traces: Trace | Traces, engine: Engine | None = None) -> Session:
        """A session on runs that it looks at from far away."""
        every = {traces.name: traces} if isinstance(traces, Trace) else traces
        far = Traces({name: self.away(trace) for name, trace in every.items()})
        return Session(far, None if engine is None else EchoEngine(self, engine), self)

    def answer(self, view: View, query: Query, arguments: Mapping[str, Any]) -> Any:
        real = self._real_view(view)
        unread = {name: 0 if name != "stage" else None for name in ("t", "unit", "stage")}
        unread = {name: value for name, value in unread.items() if name not in query.depends}
        real = replace(real, cursor=replace(real.cursor, **unread))
        given = {name: self._real.get(v, v) if isinstance(v, Trace) else v for name, v in arguments.items()}
        answer = query.function(real, **given)
        self.sizes.append((query.name, carried(answer) + carried(tuple(arguments.values()))))
        return answer

    def load(self, path: str, model: str) -> Trace | None:
        found = saved_run(path, model)
        return None if found is None else self.away(found)

    def export(self, view: View, name: str, file: BinaryIO) -> None:
        export(self._real_view(view), name, file)

    def reconnect(self) -> None:
        self.link_status = ""

    def cancel(self) -> None:
        pass

    def _real_view(self, view: View) -> View:
        return View(self._real[view.trace], self._real[view.baseline], view.cursor)


class EchoEngine:
    """Runs models again where the runs are."""

    def __init__(self, echo: Echo, engine: Engine) -> None:
        self._echo, self._engine = echo, engine

    def rerun(self, trace: Trace, *arguments: Any) -> Trace:
        return self._echo.away(self._engine.rerun(self._echo._real[trace], *arguments))


class Slow(Echo):
    """Answers what was asked on the event loop when `deliver` is called; other threads wait for `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = False
        self.asked = 0
        """How often an answer was not there."""
        self.go = threading.Event()
        self.go.set()
        self._cancelled = False
        self._pending: dict[Hashable, Callable[[], Any]] = {}
        self._known: dict[Hashable, Any] = {}

    @property
    def answered(self) -> int:
        """How many different questions of the event loop have been answered."""
        return len(self._known)

    def answer(self, view: View, query: Query, arguments: Mapping[str, Any]) -> Any:
        if threading.current_thread() is not threading.main_thread():
            assert self.go.wait(10)
            if self._cancelled:
                raise Cancelled
            return super().answer(view, query, arguments)
        place = tuple(getattr(view.cursor, name) for name in sorted(query.depends))
        run = (id(view.trace), id(view.baseline))
        key = (query.name, place, run, tuple(str(value) for value in arguments.values()))
        if key in self._known:
            return self._known[key]
        if not self.holds:
            self._known[key] = super().answer(view, query, arguments)
            return self._known[key]
        self._pending[key] = lambda: Echo.answer(self, view, query, arguments)
        self.asked += 1
        raise NotReady

    def deliver(self) -> None:
        """Answer everything that has been asked so far."""
        self._known |= {key: ask() for key, ask in self._pending.items()}
        self._pending.clear()
        if self.on_update is not None:
            self.on_update()

    def cancel(self) -> None:
        self._cancelled = True
        self.go.set()


def carried(value: Any) -> int:
    """About how many bytes a value takes on its way; a type that cannot travel is an error."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return sum(map(carried, value))
    if isinstance(value, dict):
        return sum(map(carried, (*value, *value.values())))
    if isinstance(value, Struct):
        return sum(carried(getattr(value, name)) for name in value.__struct_fields__)
    if is_dataclass(value) and not isinstance(value, (type, Expression)):
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]
        return sum(carried(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, str):
        return len(value.encode())
    assert value is None or type(value) in (bool, int, float, range, Expression, Trace), type(value)
    return 8
