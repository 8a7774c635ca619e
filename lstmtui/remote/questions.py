"""Questions to an agent whose answers may be kept: each with all it needs to be answered, and its key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lstmtui.printable import printable
from lstmtui.remote.annotations import answer_hint
from lstmtui.remote.answers import Asked, is_answer
from lstmtui.remote.frames import Message, packed
from lstmtui.remote.packing import Refer, pack
from lstmtui.remote.remote_arrays import run_of
from lstmtui.remote.requests import Elements
from lstmtui.remote.runs import Run, State, Where
from lstmtui.remote.structure import ProtocolError
from lstmtui.remote.unpacking import Receiving, unpack
from lstmtui.session import Session
from lstmtui.session.readings import Reading
from lstmtui.trace import Trace

_ELSEWHERE = Where()
_LONGEST_TEXT = 1 << 13
"""Characters of a text in an answer; no sentence of a session has so many."""


@dataclass(frozen=True, eq=False)
class Question:
    """A reading at a place, or part of an array."""

    name: str
    """What is asked, for telling how large the answer may be."""
    message: Message
    key: Hashable
    take: Callable[[Any], Any]
    """Makes the answer of what the wire brings; raises `ProtocolError`."""


@dataclass(frozen=True, eq=False)
class ReadingQuestion:
    """A reading, as it can be asked at other timesteps too."""

    reading: Reading
    arguments: Mapping[str, Any]
    """As the wire has them."""
    argument_bytes: bytes
    state: State | None
    where: Where
    """Only what the answer depends on; the rest is 0."""
    t: int
    """Where the cursor is, whether or not the answer depends on it."""
    last_t: int
    resolve: Callable[[Any], Trace]
    trace: Trace
    """The selected run."""

    @property
    def depends_on_t(self) -> bool:
        """Whether the answer is another at the next timestep."""
        return "t" in self.reading.depends

    @cached_property
    def shape(self) -> Hashable:
        """What is the same for this question at every timestep."""
        return (self.reading.name, self.argument_bytes, replace(self.where, t=0))

    @cached_property
    def question(self) -> Question:
        """The question itself."""
        name, state = self.reading.name, None if self.state is None else pack(self.state)
        message = {"do": "answer", "reading": name, "arguments": self.arguments, "where": _told(self.where)}
        if state is not None:
            message["state"] = state
        key = (name, self.argument_bytes, self.where, b"" if state is None else packed(state))
        return Question(name, message, key, self._take)

    def at(self, t: int) -> ReadingQuestion:
        """The same at another timestep."""
        return replace(self, t=t, where=replace(self.where, t=t) if self.depends_on_t else self.where)

    def page(self, start: int, stop: int) -> ReadingQuestion:
        """The same of another page."""
        arguments = {**self.arguments, "start": start, "stop": stop}
        return replace(self, arguments=arguments, argument_bytes=packed(arguments))

    def _take(self, wire: Any) -> Any:
        answer = unpack(answer_hint(self.reading), wire, Receiving(_shown, self.resolve))
        where = self.where
        asked = Asked(self.trace, where.layer, where.direction, self.last_t, self.arguments, self.resolve)
        if not is_answer(self.reading.name, asked, answer):
            raise ProtocolError(f"the far end's answer cannot be shown: it is none to {self.reading.name}")
        return answer


def reading_question(
    session: Session, reading: Reading, arguments: Mapping[str, Any], resolve: Callable[[Any], Trace]
) -> ReadingQuestion:
    """What a session asks.

    Args:
        session: whose runs and cursor are meant.
        reading: what is asked.
        arguments: by name.
        resolve: the trace a reference stands for.

    Raises:
        UserError: a trace among them is not on the agent's machine.
    """
    refer: Refer = lambda trace: pack(run_of(trace))  # noqa: E731
    wire = {name: pack(value, refer) for name, value in arguments.items()}
    cursor = session.cursor
    place = {name: getattr(cursor, name) for name in reading.depends if name != "model"}
    where = Where(model=list(session.traces).index(cursor.model), **place)
    state, t, last_t = state_of(session), cursor.t, session.last_t
    return ReadingQuestion(reading, wire, packed(wire), state, where, t, last_t, resolve, session.trace)


def elements_question(run: Run, key: int, index: tuple[Any, ...]) -> Question:
    """Part of an array."""
    wire = pack(Elements(run, key, index))
    return Question("elements", {"do": "elements", **wire}, ("elements", packed(wire)), lambda array: array)


def state_of(session: Session) -> State | None:
    """The runs of a session; None where they are simply those that were opened."""
    names = list(session.traces)
    traces = tuple(run_of(trace) for trace in session.traces.values())
    is_plain = all(run == Run(i) for i, run in enumerate(traces))
    if is_plain and not session.changed and session.compared is None:
        return None
    changed = tuple((names.index(name), run_of(trace)) for name, trace in session.changed.items())
    return State(traces, changed, None if session.compared is None else run_of(session.compared))


def where_of(session: Session) -> Where:
    """The whole cursor."""
    cursor = session.cursor
    model = list(session.traces).index(cursor.model)
    return Where(model, cursor.layer, cursor.direction, cursor.batch, cursor.unit, cursor.t, cursor.stage)


def _told(where: Where) -> dict[str, Any]:
    """A place without what is as it always is."""
    wire: dict[str, Any] = pack(where)
    plain = vars(_ELSEWHERE)
    return {name: value for name, value in wire.items() if value != plain[name]}


def _shown(text: str) -> str:
    return printable(text[:_LONGEST_TEXT], lines=True)
