"""Recording the code of a model by source, call by call, in a training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from lstmtui.capture.readiness import chosen_source
from lstmtui.capture.source.code.users_code import Selection, What, is_excluded
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.recorders.parameter_copies import ParameterCopies
from lstmtui.capture.source.recorders.watched_code import WatchedCode
from lstmtui.capture.steps.watched_calls import WatchedStep


class CodeOfSteps:
    """Records calls of a model by source, each as part of its step.

    Args:
        root: the model.
        source: what of its code, as `record` takes it.
        axes: which of the tensors that it is called with are time and the sequences.
        attempt: calls what it is given, and gives None where that fails, which is no concern of the model's.

    Raises:
        TypeError: `source` is nothing that can be chosen.
        ValueError: there is an axis of time, and nothing that it would be for.
    """

    def __init__(
        self, root: nn.Module, source: What | None, axes: InputAxes, attempt: Callable[..., Any]
    ) -> None:
        self._root, self._axes, self._attempt = root, axes, attempt
        self._source = chosen_source(root, source, axes)
        if source is None and not any(has_users_forward(module) for module in root.modules()):
            self._source = None
        Selection(True if self._source is None else self._source)  # refused here, before anything runs
        self._copies = ParameterCopies(root)
        self._is_left_open = source is None
        self._scans: bool | None = None
        """Whether the code computes all timesteps at once; None: that is not known."""

    @property
    def is_recorded(self) -> bool:
        """Whether any of the code is recorded."""
        return self._source is not None

    def run(self, step: WatchedStep, forward: Callable[[], Any], arguments: Any) -> Any:
        """Call the model while its code is recorded; returns what the model returns.

        Args:
            step: that the call is.
            forward: calls the model.
            arguments: what with.
        """
        code: WatchedCode | None = self._attempt(self._begin, step, arguments)
        if code is None:
            return forward()
        try:
            result = forward()
        except BaseException as error:
            code.has_raised = True
            self._attempt(self._end, step, code, None, error)
            raise
        self._attempt(self._end, step, code, result, None)
        return result

    def _begin(self, step: WatchedStep, arguments: Any) -> WatchedCode:
        assert self._source is not None
        code = WatchedCode(self._root, self._source, arguments, self._axes)
        code.parameters = self._copies.now()
        code.tracer.note_drawn(step.drawn)
        code.tracer.note_losses(step.losses)
        code.tracer.__enter__()
        step.code, step.moment = code, code.tracer.moment
        return code

    def _end(self, step: WatchedStep, code: WatchedCode, result: Any, error: BaseException | None) -> None:
        code.tracer.__exit__(None if error is None else type(error), error, None)
        if self._is_left_open and any(call.results for call in step.calls):
            step.let_go()
            step.code = None  # recurrent modules are recorded, and nothing by source
            return
        if self._scans is not False:
            self._scans = code.look_for_scans(result)
        if code.tracer.failure is not None:
            raise code.tracer.failure


def has_users_forward(module: nn.Module) -> bool:
    """Whether the forward of a module is neither torch's nor ours."""
    code = getattr(getattr(module, "forward", None), "__code__", None)
    return code is not None and not is_excluded(code.co_filename)
