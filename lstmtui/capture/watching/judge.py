"""In which steps of a training loop a condition holds, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import nn

from lstmtui.capture.blocks.step_trace import trace_of
from lstmtui.capture.reruns.replay import LOSS_TEXT, NO_BACKWARD, TWICE, outputs_of
from lstmtui.capture.steps.watched_calls import WatchedStep
from lstmtui.errors import UserError
from lstmtui.models.stock import layout_of
from lstmtui.trace import Layer, Trace

MOST_NAMED = 12
"""Of the quantities of a step that are listed in a message."""


class Place(Protocol):
    """Where a condition holds."""

    @property
    def t(self) -> int:
        """The timestep."""

    @property
    def layer(self) -> int:
        """The layer, counted over all modules."""

    @property
    def direction(self) -> str:
        """forward or backward."""

    @property
    def batch(self) -> int:
        """Which sequence."""


class Condition(Protocol):
    """The condition of a watch."""

    @property
    def text(self) -> str:
        """As it was written."""

    @property
    def reads(self) -> frozenset[str]:
        """The quantities it reads."""

    def check(self, layers: Sequence[Layer]) -> None:
        """Refuse layers for which it means nothing."""

    def first(self, trace: Trace) -> Place | None:
        """Where it holds first, or None."""


class Judge:
    """Looks for the place where a condition holds in a step, with as little work as that needs.

    Args:
        condition: what is looked for.
        layers: of the recurrent modules.
        has_code: whether code is recorded by source, whose names are known only when it has run.
        say: called with what the user is to know.

    Raises:
        UserError: the condition means nothing for these layers.
    """

    def __init__(
        self, condition: Condition, layers: list[Layer], has_code: bool, say: Callable[[str], None]
    ) -> None:
        self.condition = condition
        self._layers = layers
        """Once code was recorded, of the whole step that was judged last."""
        self._is_checked, self._say = not has_code, say
        self._absent: set[str] = set()
        """Why derivatives that the condition reads were absent; "" of those that were there."""
        condition.check([] if has_code else layers)

    @property
    def reads_derivatives(self) -> bool:
        """Whether the condition reads derivatives, as far as that is known of code that has not run."""
        values = {name for layer in self._layers for name in layer.quantities}
        return any(name.startswith("d") for name in self.condition.reads - values)

    def place_in(self, step: WatchedStep) -> Place | None:
        """Where the condition holds first in a step; None where it does not.

        Raises:
            Exception: whatever recording the step again or the condition has raised.
        """
        calls = [call for call in step.calls if call.results]
        if not step.is_recorded:
            return None
        if step.code is None:
            if self.condition.reads <= {"h"} and all(_shows_h(c.module) and c.is_intact for c in calls):
                if all(self.condition.first(outputs_of(call)) is None for call in calls):
                    return None
            elif self.reads_derivatives and not step.backward:
                self._absent.add(NO_BACKWARD)
                return None
        trace = trace_of_step(step, "", self._say, derivatives=self.reads_derivatives)
        if trace is None:
            return None
        if step.code is not None:
            self._check(trace)
        if self.reads_derivatives:
            self._absent.update(layer.absent for layer in trace.layers)
        return self.condition.first(trace)

    def why_never(self, *, has_ended: bool) -> str:
        """Why the condition could not be judged in any step; empty where it could.

        Args:
            has_ended: whether the loop went to its end, so that a gradient would have come back.
        """
        if TWICE in self._absent:
            return TWICE
        return "no gradient came back to any call" if self._absent == {NO_BACKWARD} and has_ended else ""

    def _check(self, trace: Trace) -> None:
        """Say, of a step that was recorded by source, whether the condition means something there."""
        self._layers = list(trace.layers)
        if self._is_checked:
            return
        self._is_checked = True
        try:
            self.condition.check(self._layers)
        except UserError as error:
            names = list(dict.fromkeys(name for layer in self._layers for name in layer.quantities))
            shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
            self._say(f"when: {error}; the first step has {shown}; those that follow are judged all the same")


def trace_of_step(
    step: WatchedStep, name: str, say: Callable[[str], None], *, derivatives: bool = True
) -> Trace | None:
    """The trace of a step under this name; None, and said why, where nothing of it is over time."""
    code = step.code
    trace = trace_of(
        step,
        code,
        name,
        why_absent=NO_BACKWARD,
        loss_text=LOSS_TEXT,
        has_raised=code is not None and code.has_raised,
        parameters=None if code is None else code.parameters,
        derivatives=derivatives,
    )
    if trace is None and code is not None:
        say(code.refusal())
    return trace


def _shows_h(module: nn.Module) -> bool:
    """Whether every h of a module is in what it returns."""
    return layout_of(module).num_layers == 1
