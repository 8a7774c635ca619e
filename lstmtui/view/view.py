"""What is shown: a run, the recorded run beside it, and a cursor in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from typing import Any, BinaryIO, Protocol, get_type_hints

from lstmtui.cells import Cell
from lstmtui.trace import Layer, Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.cursor import Cursor


@dataclass(frozen=True)
class View:
    """A run and a place in it: everything that a question about the run depends on."""

    trace: Trace
    """The run that is shown, with its what-ifs where it has any."""
    baseline: Trace
    """The same run as it was recorded; the very same trace where there are no what-ifs."""
    cursor: Cursor
    backend: RemoteBackend | None = None
    """What answers queries where the arrays are on another machine; None: they are in this process."""

    @classmethod
    def of(cls, trace: Trace, layer: int = 0, direction: str = "forward", batch: int = 0) -> View:
        """A view of a recorded run in this process, at its first timestep."""
        return cls(trace, trace, Cursor(trace.name, layer=layer, direction=direction, batch=batch))

    @property
    def layer(self) -> Layer:
        """The selected layer."""
        return self.trace.layers[self.cursor.layer]

    @property
    def cell(self) -> Cell:
        """The selected layer's cell."""
        return self.trace.cell(self.cursor.layer)

    @property
    def last_t(self) -> int:
        """The last timestep that the selected layer has of the selected sequence."""
        return int(lengths_of(self.trace, self.cursor.layer)[self.cursor.batch]) - 1

    def fitted_to(self, trace: Trace) -> View:
        """The same place in another recorded run, or the nearest that it has."""
        return View(trace, trace, replace(self.cursor.fitted_to(trace), model=trace.name), self.backend)


@dataclass(frozen=True)
class Query:
    """A question about a run: a function of a `View` that reads arrays."""

    name: str
    function: Callable[..., Any]
    """The function itself, which reads arrays of this process."""
    depends: frozenset[str]
    """The fields of the cursor that make a difference to the answer."""
    picture: bool
    """Whether the numbers in the answer are only drawn, never written out: they may travel rounded."""

    @cached_property
    def argument_types(self) -> dict[str, Any]:
        """The annotation of each argument by name, the view left out."""
        names = list(signature(self.function).parameters)[1:]
        return {name: self._annotations[name] for name in names}

    @property
    def answer_type(self) -> Any:
        """The annotation of the answer."""
        return self._annotations["return"]

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return get_type_hints(self.function)


class NotReady(Exception):
    """The answer has not arrived, and this thread may not wait for it; ask again later."""


class RemoteBackend(Protocol):
    """Answers queries whose arrays are on another machine."""

    on_update: Callable[[], None] | None
    """Called from any thread when an answer has arrived, or `link_status` has changed."""

    @property
    def link_status(self) -> str:
        """What is wrong with the link, in words that fit a header; empty where all is well."""

    def answer(self, view: View, query: Query, arguments: Mapping[str, Any]) -> Any:
        """What the query gives on the other machine.

        Raises:
            NotReady: the answer has been asked for, and this thread may not wait for it.
            UserError: what the query raised, or why there can be no answer.
            Cancelled: `cancel` was called while this thread waited.
        """

    def load(self, path: str, model: str) -> Trace | None:
        """A run that was saved on the other machine; None where there is no trace.

        Raises:
            UserError: it cannot be read, or there is no such model in it.
        """

    def export(self, view: View, name: str, file: BinaryIO) -> None:
        """Write here what `playback.export` writes on the other machine.

        Raises:
            UserError: there can be no answer.
        """

    def cancel(self) -> None:
        """Every thread that waits for an answer gives it up, with `lstmtui.Cancelled`."""

    def reconnect(self) -> None:
        """Try again to reach the other machine, also where that was given up."""
