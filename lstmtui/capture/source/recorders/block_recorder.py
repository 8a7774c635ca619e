"""What the code in a block bound, from its calls and its own lines to the layers of a trace."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.autograd_state import unobserved
from lstmtui.capture.modules.interception import kind_of
from lstmtui.capture.modules.wrapped import joined, named_modules
from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.code.users_code import Selection, What
from lstmtui.capture.source.input_axes import InputAxes, Shape
from lstmtui.capture.source.recorders.hooked_recorder import HookedRecorder
from lstmtui.capture.source.runs.streams import takes_apart
from lstmtui.capture.source.tracing.tracer import SourceTracer
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
        models = {call.number for call in calls if call.module is not None and not call.is_in_module}
        looked_at = outermost | models
        bound: dict[int, list[Binding]] = defaultdict(list)
        for binding in self.tracer.bindings:
            if binding.call.number in looked_at:
                bound[binding.call.number].append(binding)
        arguments = [
            b for b in self.tracer.bindings if not b.line and b.value.dim() and b.call.number in looked_at
        ]
        made = _made_by_modules(self.tracer.bindings)
        arguments = [b for b in arguments if b.identity not in made] or arguments
        embedded = _embedded(self.tracer.bindings)
        sequences = [
            b
            for b in arguments
            if b.call.module is None
            or b.value.dim() > 2
            or b.identity in embedded
            or takes_apart(b, bound[b.call.number])
        ]
        if own is not None and not sequences:
            sequences = _read_by(own, self.tracer.bindings)
            arguments += sequences
        self._own_runs = self._reading_sequences(outermost, bound)
        modules = {id(call.module): call.module for call in calls if call.module is not None}
        self._know(_shapes(arguments), modules.values(), _shapes(sequences))
        super().group(result, steps)

    def _reading_sequences(
        self, outermost: Collection[int], bound: Mapping[int, Sequence[Binding]]
    ) -> set[CodeType]:
        """The functions that the block calls again and again, each time for a loop over a sequence.

        Args:
            outermost: the numbers of the calls that the block makes.
            bound: what each of them binds.
        """
        own = {
            call.number: call for call in self.tracer.calls if call.number in outermost and not call.module
        }
        counts = Counter(call.code for call in own.values())
        several = {number for number, call in own.items() if counts[call.code] > 1}
        codes = {own[number].code for number in several}
        others = {n for n in several if not _takes_an_argument_apart(bound.get(n, ()))}
        return codes - {own[number].code for number in others}


def _made_by_modules(bindings: Iterable[Binding]) -> set[int]:
    """The identities of what modules have made: a function that is given that, as a loss, has no input."""
    given, made = set[int](), set[int]()
    for binding in bindings:
        if not (binding.call.module is not None or binding.call.is_in_module) or not binding.line:
            given.add(binding.identity)
        elif binding.identity not in given:
            made.add(binding.identity)
    return made


def _embedded(bindings: Iterable[Binding]) -> set[int]:
    """The identities of matrices of tokens: integers, of each of which a call they are given makes a vector.

    The call, or what it calls, has numbers with the two axes of the matrix and one more.
    """
    tokens: dict[tuple[int, Shape], list[int]] = defaultdict(list)
    """By the number of the call that is given them, and by their shape."""
    embedded = set[int]()
    for b in bindings:
        shape = tuple(b.value.shape)
        if not b.line and len(shape) == 2 and _is_of_integers(b.value):
            tokens[b.call.number, shape].append(b.identity)
        elif len(shape) == 3 and tokens and b.value.is_floating_point():
            call: Call | None = b.call
            while call is not None:
                embedded.update(tokens.get((call.number, shape[:2]), ()))
                call = call.caller
    return embedded


def _read_by(block: Call, bindings: Sequence[Binding]) -> list[Binding]:
    """The data that a block reads item by item itself, as batches of sequences."""
    own = [b for b in bindings if b.call is block]
    data = {b.identity: b for b in own if b.leaf and b.absent and b.value.dim() > 1}
    return [b for b in data.values() if takes_apart(b, own)]


def _is_of_integers(tensor: Tensor) -> bool:
    is_number = tensor.is_floating_point() or tensor.is_complex()
    return not is_number and tensor.dtype is not torch.bool


def _takes_an_argument_apart(bindings: Sequence[Binding]) -> bool:
    return any(takes_apart(b, bindings) for b in bindings if not b.line and b.value.dim() > 1)


def _shapes(bindings: Iterable[Binding]) -> list[Shape]:
    return [tuple(binding.value.shape) for binding in bindings]
