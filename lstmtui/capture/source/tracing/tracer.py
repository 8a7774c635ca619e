"""Records what the user's code binds its names to, while it runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Any, Self

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from lstmtui.capture.loss.heard_losses import HeardLosses
from lstmtui.capture.modules.wrapped import uncompiled
from lstmtui.capture.origins.drawn_tensors import Drawing, DrawnTensors
from lstmtui.capture.source.bindings import Binding, Call, Instance
from lstmtui.capture.source.code.code_facts import CodeFacts
from lstmtui.capture.source.code.paths import lines_of
from lstmtui.capture.source.code.users_code import Selection, What
from lstmtui.capture.source.tracing.collection import Collection
from lstmtui.capture.source.tracing.replacements import Replacements
from lstmtui.capture.source.tracing.thread_tracer import ThreadTracer
from lstmtui.capture.source.tracing.unit_axes import Known
from lstmtui.capture.source.undisturbed import undisturbed


class SourceTracer:
    """Within this context every name that the chosen functions bind to a tensor is recorded.

    Nothing of the run is changed: neither its numbers, nor the random numbers it draws, nor its tensors.
    Another trace function goes on hearing of everything. Threads that begin meanwhile are traced too.
    Derivatives come in until `release`, also after the context has ended. What goes wrong in here ends the
    recording, not the run: `failure` says it then.

    Args:
        root: the module whose parts have their paths as in `named_modules`.
        source: True for all code of the user's, or dotted names, functions, classes and modules.
        frame: a frame that runs already and is recorded too, such as the one with the context's `with`.
        hooks: whether hooks keep the derivatives of every backward pass there is until `release`. Without
            them, which is faster, they are those that `derive` is given.
        place: what says the path of a module that is no part of the root, while it is called.

    Raises:
        TypeError: `source` is nothing that can be chosen.
    """

    def __init__(
        self,
        root: nn.Module | None = None,
        source: What = True,
        frame: FrameType | None = None,
        *,
        hooks: bool = True,
        place: Callable[[nn.Module], str] | None = None,
    ) -> None:
        self._collection = Collection(root, Selection(source), hooks=hooks, place=place)
        self._frame = frame
        self._context = ExitStack()

    @property
    def calls(self) -> list[Call]:
        """In the order in which they began."""
        return self._collection.calls

    @property
    def bindings(self) -> list[Binding]:
        """In order."""
        return self._collection.bindings

    @property
    def failure(self) -> Exception | None:
        """What went wrong in here, after which nothing more was recorded."""
        return self._collection.failure

    @property
    def passed_over(self) -> dict[str, int]:
        """The qualified names of the user's functions that ran but were not chosen, and how often."""
        return dict(self._collection.selection.passed_over)

    def __enter__(self) -> Self:
        """Begin."""
        self._context.enter_context(uncompiled())
        self._collection.is_open = True
        own = ThreadTracer(self._collection, sys.gettrace())
        if self._frame is not None:
            facts = CodeFacts(self._frame)
            self._frames_trace = self._frame.f_trace
            own.enter(self._frame, facts)
        self._own, self._threads = own, threading.gettrace()
        threading.settrace(self._thread_begins)
        sys.settrace(own.trace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End, and put back whatever trace functions there were."""
        self._collection.is_open = False
        # An exception of a trace function, as of a run that is cancelled, has Python take it away.
        is_away = self._collection.cancelled is not None and sys.gettrace() is None
        if self._own.is_installed or is_away:
            sys.settrace(self._own.other)
        if threading.gettrace() == self._thread_begins:
            threading.settrace(self._threads)
        if self._frame is not None:
            self._own.end(self._frame, self._frames_trace, error, traceback)
        self._context.close()
        self._collection.tensors.forget_graph(self.bindings)

    def note_drawn(self, drawn: DrawnTensors | None) -> None:
        """Say which bindings are among these, which somebody takes note of meanwhile."""
        self._collection.tensors.drawn = drawn

    def note_losses(self, losses: HeardLosses) -> None:
        """Say who is told of the backward passes that come to what is computed from here on."""
        self._collection.tensors.losses = losses

    def pause_in_loops(self, drawing: Drawing) -> None:
        """Have what follows which tensors are drawn paused from the second pass of a loop to its end."""
        self._collection.drawing = drawing

    def tell(self, pass_begins: Callable[[int], None]) -> None:
        """Have this called whenever a pass of an outermost loop begins, with how many of it are done.

        `lstmtui.Cancelled` that it raises comes out of the code that runs, and of `check`.
        """
        self._collection.pass_begins = pass_begins

    def expect(self, rounds: int) -> None:
        """Make room for values of so many rounds at once; 0: it is not known how many there will be."""
        self._collection.tensors.rows.expected = rounds

    def check(self) -> None:
        """Raise what has cancelled the run, which its code may have caught."""
        if self._collection.cancelled is not None:
            raise self._collection.cancelled

    def replace(self, replacements: Replacements) -> None:
        """Have these put in place of what names are bound to."""
        self._collection.replacements = replacements

    @undisturbed()
    def ends(self) -> list[Tensor | GradientEdge]:
        """What the loss is to be differentiated by, for `derive`."""
        return self._collection.tensors.ends()

    @property
    def hooked(self) -> Set[Any]:
        """The nodes of the graph that tensors with hooks of the user's were made by."""
        return self._collection.tensors.hooked

    @undisturbed()
    def derive(self, gradients: Sequence[Tensor | None]) -> None:
        """Take the derivatives by all `ends`; None where the loss does not depend on one."""
        self._collection.tensors.derive(gradients)

    def moment(self) -> int:
        """A number between the orders of what has been bound so far and of what will be."""
        return next(self._collection.tensors.orders)

    @property
    def units(self) -> Known:
        """The axes of tensors that are known to be units, where the graph is gone."""
        return self._collection.tensors.units

    @property
    def scanned(self) -> Set[tuple[int, int]]:
        """The axes that scans go along, each with its size, where the graph is gone."""
        return self._collection.tensors.scanned

    @property
    def lines_that_ran(self) -> dict[Instance, frozenset[int]]:
        """The lines of each function that ran as one module calls it."""
        # Another thread may be adding to them.
        return {own: lines_of([*paths.values()]) for own, paths in [*self._collection.paths.items()]}

    @property
    def without_values(self) -> int:
        """How many bindings were left out because their tensors have no values that can be kept."""
        return self._collection.tensors.without_values

    @property
    def is_reached(self) -> bool:
        """Whether a backward pass came to anything that was computed and has a hook."""
        return self._collection.tensors.is_reached

    def let_go_of_leaves(self) -> None:
        """Backward passes through other code are told no more of: those come to leaves alone."""
        self._collection.tensors.let_go_of_leaves()

    def stop(self) -> None:
        """Record nothing more, in any thread; the trace functions stay until the end of the context."""
        self._collection.is_open = False

    def release(self) -> None:
        """Take away what was left in the graph; no derivatives come in from here on."""
        self._collection.tensors.settle(self.bindings)
        self._collection.tensors.release()

    def _thread_begins(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The trace function that a thread begins with."""
        if not self._collection.is_open:
            return None
        tracer = ThreadTracer(self._collection, self._threads)
        sys.settrace(tracer.trace)
        return tracer.trace(frame, event, argument)
