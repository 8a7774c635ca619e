"""What the code in a block bound, from its calls and its own lines to the layers of a trace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.autograd_state import unobserved
from lstmtui.capture.interception import kind_of
from lstmtui.capture.source.bindings import Call
from lstmtui.capture.source.hooked_recorder import HookedRecorder
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.tracer import SourceTracer
from lstmtui.capture.source.users_code import Selection, What
from lstmtui.capture.wrapped import joined, named_modules
from lstmtui.models.torch_compat import has_values


class BlockRecorder(HookedRecorder):
    """Records what runs in a block by source, including the lines of the block itself.

    Args:
        source: what of the code, as `record` takes it.
        axes: which of the tensors that functions are called with are time and the sequences.
        frame: the one with the block.
        place: what says the path of a module while it is called.

    Raises:
        TypeError: `source` is nothing that can be chosen.
    """

    def __init__(
        self, source: What, axes: InputAxes, frame: FrameType, place: Callable[[nn.Module], str]
    ) -> None:
        self._has_frame = Selection(source).wants(frame)
        self._place = place
        self.parameters: dict[str, Tensor] = {}
        """Copies of those of the modules that ran, as they were when each ran first.

        Those of recurrent modules are not among them: these are run again with theirs.
        """
        self._seen: dict[int, Tensor] = {}
        tracer = SourceTracer(None, source, frame if self._has_frame else None, place=self._placed)
        self._begin(tracer, source, axes)

    def _placed(self, module: nn.Module) -> str:
        """The path of a module that runs for the first time."""
        path = self._place(module)
        for inner, part in named_modules(module):
            for name, parameter in part.named_parameters(recurse=False) if kind_of(part) is None else ():
                if id(parameter) not in self._seen and has_values(parameter):
                    self._seen[id(parameter)] = parameter
                    with unobserved():
                        self.parameters[joined(joined(path, inner), name)] = parameter.detach().clone()
        return path

    def group(self, result: Any, steps: Collection[int]) -> None:
        """Find the runs and how many timesteps there are, once the block has ended."""
        calls = self.tracer.calls
        own = calls[0] if self._has_frame and calls else None
        outermost = {call.number for call in calls if call.caller is own and call is not own} or {0}
        # A model is given its input, time and sequences and units, also by a function that the block calls.
        models = {call.number for call in calls if call.module is not None and not _is_in_module(call)}
        arguments = [
            b.value
            for b in self.tracer.bindings
            if not b.line and (b.call.number in outermost or (b.call.number in models and b.value.dim() > 2))
        ]
        modules = {id(call.module): call.module for call in calls if call.module is not None}
        self._know([tuple(value.shape) for value in arguments if value.dim()], modules.values())
        super().group(result, steps)


def _is_in_module(call: Call) -> bool:
    """Whether the forward of some module calls it."""
    here = call.caller
    while here is not None and here.module is None:
        here = here.caller
    return here is not None
