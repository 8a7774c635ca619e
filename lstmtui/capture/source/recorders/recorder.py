"""What a model's code bound, from its call to the layers of a trace."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, partial
from types import CodeType
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.progress import Progress
from lstmtui.capture.source.bindings import Call
from lstmtui.capture.source.code.assignments import fills_in
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import InputAxes, Shape
from lstmtui.capture.source.layers.layer import layer_of
from lstmtui.capture.source.layers.left_graph import mark_cuts
from lstmtui.capture.source.layers.run_names import RunNames
from lstmtui.capture.source.layers.shapes import Batch, Unfit, leading_sizes, time_axis_of
from lstmtui.capture.source.layers.source_layer import Conditions, SourceLayer, number_anew
from lstmtui.capture.source.recorders.exceptions import raising_call
from lstmtui.capture.source.recorders.refusal import nothing_over_time
from lstmtui.capture.source.runs.grouping import Grouping
from lstmtui.capture.source.tracing.scans import scanned_axes
from lstmtui.capture.source.tracing.tracer import SourceTracer
from lstmtui.capture.source.tracing.unit_axes import UnitAxes
from lstmtui.capture.source.undisturbed import undisturbed
from lstmtui.errors import UserError
from lstmtui.trace.source import Raised
from lstmtui.wording import listed

Turn = Callable[[Tensor], Tensor]


class SourceRecorder:
    """Records one call of a model by source.

    Args:
        root: the model.
        source: what of its code, as `record` takes it.
        arguments: what it is called with.
        axes: which of its tensors are time and the sequences.
        hooks: whether the derivatives are those of every backward pass there is; else of the one loss.

    Raises:
        TypeError: `source` is nothing that can be chosen.
        ValueError: no tensor of the input has such an axis.
    """

    def __init__(
        self, root: nn.Module, source: What, arguments: Any, axes: InputAxes, *, hooks: bool = False
    ) -> None:
        self._begin(SourceTracer(root, source, hooks=hooks), source, axes)
        self._know(leading_sizes(arguments), [root])

    def _begin(self, tracer: SourceTracer, source: What, axes: InputAxes) -> None:
        self.tracer = tracer
        self._source, self._axes = source, axes
        self._own_runs: Collection[CodeType] = ()
        """Functions whose calls are runs of their own, as those of modules are."""
        self.layers: list[SourceLayer] = []
        """What was recorded, once it is finished."""
        self._names: list[RunNames] = []
        self.steps = 0
        """T; 0 where nothing is over time."""

    def _know(
        self, inputs: list[Shape], modules: Iterable[nn.Module], sequences: list[Shape] | None = None
    ) -> None:
        """Take note of the shapes of the input, and of the modules whose parameters are used.

        Args:
            inputs: of all of its tensors.
            modules: all.
            sequences: those of `inputs` that may have an axis of timesteps; None: any.
        """
        self._inputs = inputs
        self._features = {size for m in modules for parameter in m.parameters() for size in parameter.shape}
        self._axes.sequences(inputs)
        self._sizes = self._axes.steps(inputs if sequences is None else sequences)
        self.tracer.expect(max(self._sizes, default=0))

    def tell(self, progress: Progress) -> None:
        """Have it told of timesteps as they begin; the number of all is that of the input's longest axis."""
        most = max(self._sizes, default=0)
        self.tracer.tell(lambda done: progress.reach(done, most))

    @undisturbed()
    def group(self, result: Any, steps: Collection[int]) -> None:
        """Find the runs and how many timesteps there are, once the model has returned.

        Args:
            result: what it returned; None where it raised.
            steps: how many timesteps the runs that were recorded otherwise have.
        """
        tracer, named = self.tracer, _names_function(self._source)
        if tracer.failure is not None:
            why = f", by an error of lstmtui's own ({type(tracer.failure).__name__}: {tracer.failure})"
            why = f": {tracer.failure}" if isinstance(tracer.failure, UserError) else why
            warnings.warn(
                f"recording by source ended early{why}; what ran after that is not recorded",
                RuntimeWarning,
                stacklevel=2,
            )
        sizes = {*self._sizes, *steps}
        named = _either(named, self._own_runs)
        at_once = cache(lambda: {*steps} or {self._steps_at_once(result)})
        self._grouping = Grouping(tracer.calls, tracer.bindings, sizes, named, self._inputs, at_once)
        longest = max([*steps, *(len(run.rounds) for run in self._grouping.runs)], default=0)
        if longest < 2:
            longest = self._steps_at_once(result) or longest
        stretches = {rounds for run in self._grouping.runs for _, rounds in run.stretches}
        conditions = Conditions(self._inputs, longest, self._axes, self._features, stretches)
        unit_axes = UnitAxes(tracer.units, tracer.bindings)
        runs, ran = self._grouping.runs if longest else [], tracer.lines_that_ran
        for run in runs:
            run.ran = ran
        self._names = [RunNames(run, conditions, unit_axes) for run in runs]
        self._agree()
        self.steps = longest
        self._say_what_is_open([names.batch for names in self._names])
        self._say_which_axes_are_open()

    def _agree(self) -> None:
        """Where states tell how many sequences runs read, have those read as many that nothing tells."""
        sizes = {names.batch.size for names in self._names if names.has_states and not names.batch.others}
        for names in self._names if len(sizes) == 1 and self._axes.batch is None else ():
            if not names.has_states or names.batch.others:
                names.read_as_others(*sizes)

    def _say_what_is_open(self, batches: Sequence[Batch]) -> None:
        """Say where sizes leave it open how many sequences there are, and what they were taken as."""
        batch = next((batch for batch in batches if batch.others), None)
        if batch is not None:
            others = " or ".join(map(str, batch.others))
            warnings.warn(
                f"the input is taken to be of {batch.size} sequences, and might be of {others}: say which "
                "axis of its tensors they are, batch_axis=",
                RuntimeWarning,
                stacklevel=2,
            )

    def _say_which_axes_are_open(self) -> None:
        """Say of which names several axes may be the sequences, and which was taken to be them."""
        for names in self._names:
            if unsure := names.unsure:
                several = listed([*dict.fromkeys(part.written for part in unsure)])
                warnings.warn(
                    f"{several}: several axes are {names.batch.size} long, as many as there are sequences; "
                    "the first is taken to be the sequences: record another number of sequences to be sure",
                    RuntimeWarning,
                    stacklevel=2,
                )

    def finish(self, *, derived: bool) -> list[SourceLayer]:
        """The layers, once the loss has been differentiated.

        Args:
            derived: whether it was.

        Raises:
            TypeError: no name is over time.
        """
        self.tracer.release()
        return self.made(derived=derived)

    @undisturbed()
    def made(self, *, derived: bool) -> list[SourceLayer]:
        """The layers of what there is so far.

        Args:
            derived: whether a loss was differentiated.
        """
        mark_cuts(self.tracer.calls, self.tracer.bindings)
        if (raising := raising_call(self.tracer.calls)) is not None and self._names:
            run, _ = self._grouping.spot(raising, raising.raised_passes)
            if run is not None:
                run.raising = raising
        made = [layer_of(names, derived=derived) for names in self._names]
        self.layers = [layer for layer in made if layer is not None]
        number_anew(self.layers)
        return self.layers

    def raised_at(self, first: int = 0, steps: int = 0) -> Raised | None:
        """Where an exception left the model's code; None where no layer shows that.

        Args:
            first: the number of the first layer by source in the trace.
            steps: how many timesteps the layer before that has, at the end of which the code raised that is
                in no layer itself; 0: there is none.
        """
        raising = call = raising_call(self.tracer.calls)
        if raising is None:
            return None
        passes = raising.raised_passes
        while call is not None:
            run, number = self._grouping.spot(call, passes)
            for at, layer in enumerate(self.layers, start=first):
                if layer.run is run:
                    if number < 0:  # within a loop that had bound nothing so far, or after all timesteps
                        begun = passes[0][1] if passes and not layer.run.rounds else layer.steps
                        number = min(begun, layer.steps - 1)
                    function = layer.codes.index(raising.code) if raising.code in layer.codes else -1
                    return Raised(at, number, raising.raised_line, raising.raised, function)
            passes, call = call.passes, call.caller
        return Raised(first - 1, steps - 1, raising.raised_line, raising.raised) if steps else None

    def output_of(self, result: Any) -> tuple[Tensor | None, Turn]:
        """The first tensor of a result that is of all timesteps, and what turns it to (T, B, units)."""
        if not self._names:
            return None, lambda tensor: tensor
        longest = max(self._names, key=lambda names: len(names.run.rounds))
        steps, batch = longest.steps, longest.batch
        for part in tensors_in(result):
            if not isinstance(part, Tensor) or not part.is_floating_point():
                continue
            shape = tuple(part.shape)
            try:
                time = time_axis_of(shape, steps, self._axes.time, self._features)
            except Unfit:
                continue
            sequences = None if time is None else batch.axis_of(shape, {time})
            if time is None or (sequences is None and batch.size > 1):
                continue
            order = [time, *(() if sequences is None else (sequences,))]
            order += [n for n in range(len(shape)) if n not in order]
            return part, partial(_turned, order, (steps, batch.size, -1))
        return None, lambda tensor: tensor

    @property
    def is_without_input(self) -> bool:
        """Whether every tensor of the input has no sequences or no timesteps."""
        return bool(self._inputs) and all(0 in shape[:2] for shape in self._inputs)

    @property
    def chose_nothing(self) -> bool:
        """Whether `source` names code, and none of it ran."""
        return self._source is not True and not self.tracer.calls

    def refusal(self) -> str:
        """What ran, where nothing of it is over time, and what to do."""
        shape = self._inputs[0][:2] if self._inputs else ()
        axes = {} if self._axes.time is not None else dict(enumerate(shape))
        text = nothing_over_time(self.tracer.calls, self.tracer.passed_over, axes)
        if self.tracer.without_values:
            text = (
                "most of what it computes has no values, as inside torch.vmap or torch.func: have it read "
                f"the whole batch without them, or record what they call with one sequence; {text}"
            )
        return text

    def _steps_at_once(self, result: Any) -> int:
        """T of code that computes all timesteps at once: what it scans or fills, or what is said to be."""
        if self._axes.time is not None:
            return max(self._sizes, default=0)
        nodes = [part.grad_fn for part in tensors_in(result) if isinstance(part, Tensor)]
        axes = {axis for node in nodes if node is not None for axis in scanned_axes(node)}
        axes |= self.tracer.scanned
        sizes = {size for _, size in axes if size in self._sizes} or self._filled_sizes()
        return sizes.pop() if len(sizes) == 1 else 0

    def _filled_sizes(self) -> set[int]:
        """The sizes of axes of the input that a loop has as many passes as, or one less, which binds no name.

        It may write each timestep into a tensor that is made for all of them before.
        """
        calls = [call for call in self.tracer.calls if call.reached and fills_in(call.code)]
        counts = {number + 1 for call in calls for end in (call.reached or {}).values() for _, number in end}
        return counts & self._sizes or {size for size in self._sizes if size - 1 in counts}


def _turned(order: list[int], shape: tuple[int, ...], tensor: Tensor) -> Tensor:
    return tensor.permute(order).reshape(shape)


def _either(is_named: Callable[[Call], bool], codes: Collection[CodeType]) -> Callable[[Call], bool]:
    return lambda call: call.code in codes or is_named(call)


def _names_function(source: What) -> Callable[[Call], bool]:
    """Whether `source=` names a function itself, and not what it is part of."""
    items = source if isinstance(source, (list, tuple, set, frozenset)) else (source,)
    names = [item for item in items if isinstance(item, str)]
    codes = {getattr(getattr(item, "__func__", item), "__code__", None) for item in items} - {None}

    def is_named(call: Call) -> bool:
        return call.code in codes or any(f".{name}".endswith(f".{call.name}") for name in names)

    return is_named
