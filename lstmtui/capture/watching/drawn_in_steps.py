"""In which steps of a training it is followed what is drawn at random, as that slows every operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from lstmtui.capture.origins.drawn_tensors import Drawing
from lstmtui.capture.steps.watched_calls import WatchedStep
from lstmtui.models.torch_compat import take_function_mode_away
from lstmtui.trace.state_origin import BeginningKind

_MAYBE_DRAWN: frozenset[BeginningKind] = frozenset({"given", "drawn"})
"""What states begin from that were drawn, or of which nothing else is known either."""


class DrawnInSteps:
    """Follows what is drawn in the first step, and in all after one whose states may have been drawn.

    Args:
        modules: the recurrent modules, whose first states are what is to be known: a step is followed until
            all of them have been called.
        has_code: whether code is recorded by source, any name of which may be bound to what is drawn, in any
            step and up to its end.
    """

    def __init__(self, modules: Iterable[nn.Module], *, has_code: bool) -> None:
        self._modules, self._has_code = {id(module) for module in modules}, has_code
        self._maybe_drawn: bool | None = None
        """Whether a state of the steps so far may have been drawn; None before the first."""

    @contextmanager
    def followed(self, step: WatchedStep) -> Iterator[None]:
        """Within this context a step runs, and is followed where that is needed."""
        if self._maybe_drawn is not False or self._has_code:
            assert step.drawn is not None
            step.drawing = Drawing(step.drawn)
            step.drawing.__enter__()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self._leave(step)
            kinds = {origin.kind for call in step.calls for origin in call.origins.values()}
            self._maybe_drawn = bool(self._maybe_drawn or kinds & _MAYBE_DRAWN)

    def called(self, step: WatchedStep) -> None:
        """A recurrent module has returned, in the thread of the step."""
        if step.drawing is not None and not self._has_code and step.weights.keys() >= self._modules:
            self._leave(step)

    def _leave(self, step: WatchedStep) -> None:
        if step.drawing is not None:
            take_function_mode_away(step.drawing)
            step.drawing = None
