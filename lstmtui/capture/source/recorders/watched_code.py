"""One call of a model in a training loop, recorded by source until its backward passes are through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.recorders.hooked_recorder import HookedRecorder


class WatchedCode(HookedRecorder):
    """What the code of a model binds in one call, with the derivatives that come back to it.

    Args:
        root: the model.
        source: what of its code, as `record` takes it.
        arguments: what it is called with.
        axes: which of its tensors are time and the sequences.

    Raises:
        ValueError: no tensor of the input has such an axis.
    """

    def __init__(self, root: nn.Module, source: What, arguments: Any, axes: InputAxes) -> None:
        super().__init__(root, source, arguments, axes, hooks=True)
        self._at_once = 0
        """T of code that computes all timesteps at once."""
        self.parameters: Mapping[str, Tensor] = {}
        """Copies of those of the model, as they were when the call began."""
        self.has_raised = False
        """Whether an exception left the call."""

    def look_for_scans(self, result: Any) -> bool | None:
        """Whether the graph of what the model returned says that it computes all timesteps at once.

        It is looked through before the user's loop lets go of it; None where there is none.
        """
        self._at_once = super()._steps_at_once(result)
        has_graph = any(isinstance(part, Tensor) and part.grad_fn is not None for part in tensors_in(result))
        return self._at_once > 0 if has_graph else None

    def _steps_at_once(self, result: Any) -> int:
        return self._at_once
