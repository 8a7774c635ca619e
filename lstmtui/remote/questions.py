"""Questions to an agent whose answers may be kept: each with all it needs to be answered, and its key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Raw, structs

from lstmtui.printable import printable
from lstmtui.remote.answers import Asked, is_answer
from lstmtui.remote.remote_arrays import run_of
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, encode, map_texts
from lstmtui.remote.wire.messages import Answer, Elements, Request
from lstmtui.remote.wire.references import Place, RunReference, SessionRuns
from lstmtui.session import Session
from lstmtui.session.readings import Reading
from lstmtui.trace import Trace

_LONGEST_TEXT = 1 << 13
"""Characters of a text in an answer; no sentence of a session has so many."""


@dataclass(frozen=True, eq=False)
class Question:
    """A reading at a place, or part of an array."""

    name: str
    """What is asked, for telling how large the answer may be."""
    request: Request
    key: Hashable
    take: Callable[[Raw], Any]
    """Decodes the answer, and checks it; raises `ProtocolError`."""


@dataclass(frozen=True, eq=False)
class ReadingQuestion:
    """A reading, as it can be asked at other timesteps too."""

    reading: Reading
    arguments: Mapping[str, Any]
    argument_bytes: bytes
    """The same, encoded."""
    runs: SessionRuns | None
    """None: every opened run, without what-ifs."""
    place: Place
    """Only what the answer depends on; the rest is 0."""
    t: int
    """Where the cursor is, whether or not the answer depends on it."""
    last_t: int
    trace: Trace
    """The selected run."""
    baseline: Trace
    """The same without what-ifs."""

    @property
    def depends_on_t(self) -> bool:
        """Whether the answer is another at the next timestep."""
        return "t" in self.reading.depends

    @cached_property
    def shape(self) -> Hashable:
        """What is the same for this question at every timestep."""
        return (self.reading.name, self.argument_bytes, structs.replace(self.place, t=0))

    @cached_property
    def question(self) -> Question:
        """The question itself."""
        name = self.reading.name
        request = Answer(name, Raw(self.argument_bytes), self.place, self.runs)
        return Question(name, request, encode(request), self._take)

    def at(self, t: int) -> ReadingQuestion:
        """The same at another timestep."""
        return replace(self, t=t, place=structs.replace(self.place, t=t) if self.depends_on_t else self.place)

    def page(self, start: int, stop: int) -> ReadingQuestion:
        """The same of another page."""
        arguments = {**self.arguments, "start": start, "stop": stop}
        return replace(self, arguments=arguments, argument_bytes=_encoded(arguments))

    def _take(self, value: Raw) -> Any:
        answer = map_texts(decode(self.reading.answer_type, value), _shown)
        place = self.place
        asked = Asked(
            self.trace,
            self.baseline,
            place.layer,
            place.direction,
            place.unit,
            self.last_t,
            self.arguments,
        )
        if not is_answer(self.reading.name, asked, answer):
            raise ProtocolError(f"the far end's answer cannot be shown: it is none to {self.reading.name}")
        return answer


def reading_question(session: Session, reading: Reading, arguments: Mapping[str, Any]) -> ReadingQuestion:
    """What a session asks.

    Args:
        session: whose runs and cursor are meant.
        reading: what is asked.
        arguments: by name.

    Raises:
        UserError: a trace among them is not on the agent's machine.
    """
    cursor = session.cursor
    fields = {name: getattr(cursor, name) for name in reading.depends if name != "model"}
    return ReadingQuestion(
        reading,
        arguments,
        _encoded(arguments),
        runs_of(session),
        Place(model=list(session.traces).index(cursor.model), **fields),
        cursor.t,
        session.last_t,
        session.trace,
        session.baseline,
    )


def elements_question(request: Elements) -> Question:
    """Part of an array."""
    return Question("elements", request, encode(request), lambda value: decode(np.ndarray, value))


def runs_of(session: Session) -> SessionRuns | None:
    """The runs of a session; None where they are simply those that were opened."""
    names = list(session.traces)
    traces = tuple(run_of(trace) for trace in session.traces.values())
    is_plain = all(run == RunReference(i) for i, run in enumerate(traces))
    if is_plain and not session.changed and session.compared is None:
        return None
    changed = tuple((names.index(name), run_of(trace)) for name, trace in session.changed.items())
    return SessionRuns(traces, changed, None if session.compared is None else run_of(session.compared))


def place_of(session: Session) -> Place:
    """The whole cursor."""
    cursor = session.cursor
    model = list(session.traces).index(cursor.model)
    return Place(model, cursor.layer, cursor.direction, cursor.batch, cursor.unit, cursor.t, cursor.stage)


def _encoded(arguments: Mapping[str, Any]) -> bytes:
    return encode(arguments, run_of)


def _shown(text: str) -> str:
    return printable(text[:_LONGEST_TEXT], lines=True)
