"""Requests whose answers may be kept: each holds all that is needed to answer it, and a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Raw, structs

from lstmtui.printable import printable
from lstmtui.remote.client.answer_checks import is_answer
from lstmtui.remote.client.query_context import QueryContext
from lstmtui.remote.client.remote_arrays import reference_of
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, encode, map_texts
from lstmtui.remote.wire.messages import Answer, Elements, Request
from lstmtui.remote.wire.references import CursorReference, RunReference, ViewedRuns
from lstmtui.trace import Trace
from lstmtui.view import Query, View

_LONGEST_TEXT = 1 << 13
"""Characters of a text in an answer; no sentence of a session has so many."""


@dataclass(frozen=True, eq=False)
class CacheableRequest:
    """A request whose answer is the same whenever it is made."""

    name: str
    """The query's name; answers of one name have similar sizes."""
    request: Request
    key: Hashable
    take: Callable[[Raw], Any]
    """Decodes the answer and checks it; raises `ProtocolError`."""


@dataclass(frozen=True, eq=False)
class QueryRequest:
    """A query at a place, which can be made at other timesteps too."""

    query: Query
    arguments: Mapping[str, Any]
    argument_bytes: bytes
    """The same, encoded."""
    runs: ViewedRuns | None
    """None: the opened run of the place's model, without what-ifs."""
    place: CursorReference
    """Only what the answer depends on; the rest is 0."""
    t: int
    """The timestep of the cursor, whether or not the answer depends on it."""
    last_t: int
    trace: Trace
    """The selected run."""
    baseline: Trace
    """The same without what-ifs."""

    @classmethod
    def of(cls, view: View, query: Query, arguments: Mapping[str, Any]) -> QueryRequest:
        """A query of a view.

        Args:
            view: the runs and the cursor that are meant.
            query: the question.
            arguments: by name.

        Raises:
            UserError: a trace among them is not on the agent's machine.
        """
        cursor, model = view.cursor, reference_of(view.trace).model
        place = CursorReference(model, **{name: getattr(cursor, name) for name in query.depends})
        encoded, runs = encode(arguments, reference_of), runs_of(view)
        runs_here = (view.trace, view.baseline)
        return cls(query, arguments, encoded, runs, place, cursor.t, view.last_t, *runs_here)

    @property
    def depends_on_t(self) -> bool:
        """Whether the answer depends on the timestep of the cursor."""
        return "t" in self.query.depends

    @cached_property
    def shape(self) -> Hashable:
        """Equal for two queries that differ in nothing but the timestep."""
        return (self.query.name, self.argument_bytes, structs.replace(self.place, t=0))

    @cached_property
    def cacheable(self) -> CacheableRequest:
        """The request itself, with its key."""
        name = self.query.name
        request = Answer(name, Raw(self.argument_bytes), self.place, self.runs)
        return CacheableRequest(name, request, encode(request), self._take)

    def at(self, t: int) -> QueryRequest:
        """The same query at another timestep."""
        return replace(self, t=t, place=structs.replace(self.place, t=t) if self.depends_on_t else self.place)

    def page(self, start: int, stop: int) -> QueryRequest:
        """The same query for the timesteps from `start` to before `stop`."""
        arguments = {**self.arguments, "start": start, "stop": stop}
        return replace(self, arguments=arguments, argument_bytes=encode(arguments, reference_of))

    def _take(self, value: Raw) -> Any:
        answer = map_texts(decode(self.query.answer_type, value), _shortened)
        place = self.place
        context = QueryContext(
            self.trace,
            self.baseline,
            place.layer,
            place.direction,
            place.unit,
            self.last_t,
            self.arguments,
        )
        if not is_answer(self.query.name, context, answer):
            raise ProtocolError(f"the agent's answer cannot be shown: it is none to {self.query.name}")
        return answer


def elements_request(request: Elements) -> CacheableRequest:
    """The request for part of an array."""
    return CacheableRequest("elements", request, encode(request), lambda value: decode(np.ndarray, value))


def runs_of(view: View) -> ViewedRuns | None:
    """The runs of a view; None where it is simply one that was opened."""
    run, baseline = reference_of(view.trace), reference_of(view.baseline)
    if run == baseline == RunReference(run.model):
        return None
    return ViewedRuns(run, None if baseline == run else baseline)


def place_of(view: View) -> CursorReference:
    """The whole cursor."""
    cursor, model = view.cursor, reference_of(view.trace).model
    return CursorReference(
        model, cursor.layer, cursor.direction, cursor.batch, cursor.unit, cursor.t, cursor.stage
    )


def _shortened(text: str) -> str:
    return printable(text[:_LONGEST_TEXT], lines=True)
