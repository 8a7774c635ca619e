"""The calls of recurrent layers in somebody's code, kept without changing what the code computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from lstmtui.capture.autograd_state import is_symbolic, unobserved
from lstmtui.capture.modules.arguments import fit, named_arguments, numbers_in
from lstmtui.capture.steps.watched_calls import WatchedCall, WatchedStep, ends_of, tensors_of, watched_call
from lstmtui.capture.taps.recomputation import NEAR, TappedCall, inputs_of
from lstmtui.capture.taps.recording_lock import is_recording
from lstmtui.models.torch_compat import has_values, is_in_backward


class CallKeeper(ABC):
    """The handlers of recurrent layers: each call that is kept becomes part of a step.

    Whatever goes wrong in here is told to `trouble`, and the code goes on as if nobody looked.

    Args:
        trouble: called with what went wrong.
    """

    def __init__(self, trouble: Callable[[Exception], None]) -> None:
        self.unseen = False
        """Whether calls were made whose tensors stand for others, as in a transform of `torch.func`."""
        self._trouble = trouble

    @property
    @abstractmethod
    def steps(self) -> Sequence[WatchedStep]:
        """The kept steps, in order."""

    @abstractmethod
    def step_of_call(self) -> WatchedStep:
        """The step that a call which begins now belongs to."""

    def layer_called(
        self,
        path: str,
        module: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        inputs = None if self.is_passed_over() else self.attempt(self._inputs_of, module, args, kwargs)
        if inputs is None:
            return forward(*args, **kwargs)
        if is_in_backward():
            again = self.attempt(self._repeated, path, module, inputs)
            result = forward(*args, **kwargs)
            if again is not None:
                step, call = again
                self.attempt(step.keep_gradients, call, ends_of(result), self._trouble)
            return result
        begun = self.attempt(self._began, path, module, inputs)
        result = forward(*args, **kwargs)
        if begun is not None:
            step, call = begun
            self.attempt(step.ended, call, result, self._trouble)
        return result

    def is_passed_over(self) -> bool:
        """Whether calls made now are not those of the loop, or have no values."""
        symbolic = is_symbolic()
        self.unseen |= symbolic
        return symbolic or is_recording()

    def _inputs_of(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """x, hx, lengths of a call; None where there is nothing to keep, or something is wrong with them."""
        named = named_arguments(module, args, kwargs)
        if named is None or not fit(named) or not numbers_in(named["x"]):
            return None
        inputs = named["x"], named.get("hx"), named.get("lengths")
        if not all(map(has_values, tensors_of(inputs))):
            self.unseen = True
            return None
        return inputs

    def attempt(self, work: Callable[..., Any], *args: Any) -> Any:
        """The result of some work, or None if it fails: no failure here may reach the model."""
        try:
            with unobserved():
                return work(*args)
        except Exception as error:
            self._trouble(error)
            return None

    def _began(
        self, path: str, module: nn.Module, inputs: tuple[Any, ...]
    ) -> tuple[WatchedStep, WatchedCall]:
        step = self.step_of_call()
        call = watched_call(path, module, inputs)
        call.moment = step.moment()
        step.add(call, inputs)
        return step, call

    def _repeated(
        self, path: str, module: nn.Module, inputs: tuple[Any, ...]
    ) -> tuple[WatchedStep, WatchedCall] | None:
        """A call that a checkpoint repeats in the backward pass; it belongs to the step that recorded it."""
        steps = [step for step in self.steps if step.recomputation.is_possible]
        if not steps:
            return None
        call = watched_call(path, module, inputs)
        again = TappedCall(module, call.graph, [call], inputs_of(*tensors_of(inputs)))
        # Backward goes from the last step to the first, so of several that are alike it is the last.
        step = min(reversed(steps), key=lambda step: step.recomputation.distance(again))
        if step.recomputation.distance(again) > NEAR:
            return None
        step.recomputation.repeat(again)
        return step, call
