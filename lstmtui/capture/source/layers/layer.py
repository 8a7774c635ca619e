"""A run by source as a layer of a trace, and its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce

import numpy as np
import torch

from lstmtui.arrays import Array
from lstmtui.capture.equality import equal
from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.layers.carried import initial_of
from lstmtui.capture.source.layers.functions import functions_of
from lstmtui.capture.source.layers.loop_reads import LoopReads, as_long
from lstmtui.capture.source.layers.names import name_all
from lstmtui.capture.source.layers.returns import not_finite, returns_of
from lstmtui.capture.source.layers.run_names import RunNames
from lstmtui.capture.source.layers.series import Series, in_order
from lstmtui.capture.source.layers.shapes import Batch, Unfit
from lstmtui.capture.source.layers.source_layer import Conditions, SourceLayer
from lstmtui.capture.source.layers.stacked import Stacked, check_kind, stack, unrolled
from lstmtui.capture.source.layers.stages import stages_of
from lstmtui.capture.source.layers.state_origin import state_origin_of
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.stores.deferred_arrays import Entry, changed
from lstmtui.capture.to_numpy import own_array
from lstmtui.trace import Layer
from lstmtui.trace.source import Constant, Source, Unrecorded, Variable

NO_DERIVATIVE = "its derivative was not computed"


def layer_of(names: RunNames, *, derived: bool) -> SourceLayer | None:
    """The layer of a run; None where nothing that it binds is of all timesteps.

    Args:
        names: of the run.
        derived: whether the loss was differentiated.
    """
    run, in_rounds, outside, carried = names.run, names.in_rounds, names.outside, names.carried
    builder = _Builder(run, names.batch, names.steps, names.conditions, derived)
    initial = _initial(in_rounds, outside)
    reads = LoopReads(run)
    for part in outside:
        axis = None if names.conditions.axes.time is not None else reads.axis_of(part)
        if part.first.identity in initial:
            builder.constants[part] = part.first
        else:
            builder.try_whole(part, axis)
    in_rounds = [*in_rounds, *not_finite(names.unnamed, in_rounds)]
    rebound = {(part.code, part.written) for part in in_rounds}
    # What a name was before the rounds is the initial state, where rounds bind it too.
    outside = [p for p in outside if p in builder.stacked or (p.code, p.written) not in rebound]
    for part in in_rounds:
        builder.try_rounds(part, is_state=part in carried)
    if not builder.stacked:
        return None
    named = in_order([*outside, *in_rounds], run)
    builder.constants = {part: own for part, own in builder.constants.items() if part in set(named)}
    builder.unrecorded = {part: why for part, why in builder.unrecorded.items() if part in set(named)}
    _number_places(named)
    name_all(named, run.call.code)
    return builder.finished(named, carried)


def _initial(in_rounds: Sequence[Series], outside: Sequence[Series]) -> set[int]:
    """The identities of what names were bound to before rounds bind them to others of the same shape.

    They are of no timestep, though an axis of theirs may be as long as the run.
    """
    shapes = {(part.code, part.written, part.first.value.shape) for part in in_rounds}
    return {
        part.first.identity for part in outside if (part.code, part.written, part.first.value.shape) in shapes
    }


def _number_places(named: Sequence[Series]) -> None:
    """A name that is bound to all timesteps at once and then in rounds is bound at several places."""
    by_key: dict[object, list[Series]] = {}
    for part in sorted(named, key=lambda part: (part.whole is None, part.whole is None and not part.place)):
        by_key.setdefault((part.code, part.written), []).append(part)
    for parts in by_key.values():
        for number, part in enumerate(parts[:-1], start=1):
            part.place = number


@dataclass
class _Builder:
    run: Run
    batch: Batch
    steps: int
    conditions: Conditions
    derived: bool
    stacked: dict[Series, Stacked] = field(default_factory=dict)
    constants: dict[Series, Binding] = field(default_factory=dict)
    unrecorded: dict[Series, str] = field(default_factory=dict)

    def try_whole(self, part: Series, axis: int | None) -> None:
        """A tensor bound outside of the rounds: of all timesteps, by an axis or its shape, or a constant."""
        time_of = self.conditions.time_of if axis is None else partial(as_long, axis)
        try:
            self.stacked[part] = unrolled(part, self.batch, self.steps, time_of, derived=self.derived)
        except Unfit as why:
            if "say time_axis" in str(why) or "numbers" in str(why):
                self.unrecorded[part] = str(why)
            else:
                self.constants[part] = part.first

    def try_rounds(self, part: Series, *, is_state: bool) -> None:
        """A name that rounds bind: to another tensor each time, or to a constant."""
        try:
            check_kind(part)
            if not is_state and _is_constant(part, self.batch):
                self.constants[part] = part.first
            else:
                self.stacked[part] = stack(part, self.batch, derived=self.derived)
        except Unfit as why:
            self.unrecorded[part] = str(why)

    def finished(self, named: Sequence[Series], carried: dict[Series, list[Series]]) -> SourceLayer:
        """The layer, once every series has its name."""
        shown = [part for part in named if part in self.stacked]
        returns = returns_of(shown, self.run.rounds)
        others = [b.call for part in named for b in part.bindings]
        others += [b.call for own in returns.values() for b in own]
        if self.run.raising is not None:
            others.append(self.run.raising)
        calls = _calls_of(others, self.run.call)
        codes, functions = functions_of(calls)
        numbers = {code: number for number, code in enumerate(codes)}
        arrays: dict[str, Entry] = {}
        variables = []
        for part in shown:
            stacked = self.stacked[part]
            targets = carried.get(part, ())
            names = tuple(o.name for o in targets if o in self.stacked)
            if not names and any(o.written == part.written for o in targets):
                names = (part.name,)  # as what it was before the first round is no state of its kind
            variables.append(_variable(part, stacked, numbers[part.first.call.code], names))
            _add(arrays, part.name, stacked)
        for part, targets in carried.items():
            if part in self.stacked:
                self._add_initial(arrays, part, targets)
        constants = []
        for part, binding in self.constants.items():
            arrays["once/" + part.name] = own_array(binding.value)
            count = sum(1 for _ in part.bindings)
            constants.append(
                Constant(part.name, tuple(binding.value.shape), _dtype([binding.value.dtype]), count)
            )
        stages = stages_of(self.run, self.steps, shown, returns, numbers)
        source = Source(
            functions,
            tuple(variables),
            stages.stages,
            tuple(constants),
            tuple(Unrecorded(part.name, why) for part, why in self.unrecorded.items()),
            stages.passed_over,
        )
        layer = Layer(
            cell=self.run.name,
            input_size=0,
            hidden_size=max(variable.size for variable in variables),
            path=self.run.path,
            calls=self.run.calls,
            source=source,
        )
        states = {part: targets for part, targets in carried.items() if part in self.stacked}
        if (origin := state_origin_of(states, named, self.run)) is not None:
            layer = replace(layer, states_from={"forward": origin})
        return SourceLayer(
            self.run,
            layer,
            self.steps,
            self.batch.size,
            arrays,
            self._lengths(),
            stages.order,
            {part.name: part for part in shown},
            self.batch,
            self.conditions,
            codes,
        )

    def _add_initial(self, arrays: dict[str, Entry], part: Series, targets: Sequence[Series]) -> None:
        """What a state was before the first round."""
        binding = next((b for target in targets if (b := initial_of(target, self.run)) is not None), None)
        if binding is None:
            return
        alone = Series(part.code, part.written, 0, 0, [[binding]], units=part.units)
        alone.show_complex()
        try:
            stacked = stack(alone, self.batch, derived=self.derived)
        except Unfit:
            return
        if stacked.shape == self.stacked[part].shape:
            arrays["initial/" + part.name] = stacked.values[0]
            if stacked.derivative is not None:
                arrays["initial/d" + part.name] = changed(lambda array: array[0], stacked.derivative)

    def _lengths(self) -> Array:
        """How many rounds each sequence is in."""
        rows = [stacked.rows for stacked in self.stacked.values() if stacked.rows is not None]
        if not rows:
            return np.full(self.batch.size, self.steps, dtype=np.int64)
        most = np.max([np.pad(own, (0, self.steps - len(own))) for own in rows], axis=0)
        return np.array([(most > row).sum() for row in range(self.batch.size)], dtype=np.int64)


def _calls_of(calls: Iterable[Call], own: Call) -> list[Call]:
    """The run's own first, then those below it."""
    return [own, *sorted({call.number: call for call in calls}.values(), key=lambda call: call.number)]


def _is_constant(part: Series, batch: Batch) -> bool:
    """Whether a name is bound to the same tensor in every round, or to one without sequences that stays."""
    bindings = list(part.bindings)
    first = bindings[0]
    is_same = all(binding.identity == first.identity for binding in bindings)
    if is_same and (len(bindings) > 1 or first.leaf):
        return len(bindings) > 1 or batch.axis_of(tuple(first.value.shape), part.units) is None
    if batch.axis_of(tuple(first.value.shape), part.units) is not None or (
        batch.size == 1 and not first.absent
    ):
        return False
    return all(equal(first.value, other.value) for other in bindings[1:])


def _variable(part: Series, stacked: Stacked, function: int, carried_to: tuple[str, ...]) -> Variable:
    bound = stacked.values if stacked.bound.all() else stacked.values[stacked.bound]
    whys = [b.absent for b in part.bindings if b.absent]
    return Variable(
        name=part.name,
        written=part.written,
        function=function,
        line=part.line,
        shape=stacked.shape,
        dtype=_dtype(dtype for _, dtype, _ in part.kinds),
        carried_to=carried_to,
        in_unit_interval=_in_unit_interval(bound),
        inner_steps=int(stacked.counts.max()) if stacked.inner is not None else 0,
        absent="" if stacked.derivative is not None else (whys[0] if whys else NO_DERIVATIVE),
    )


def _in_unit_interval(values: Array) -> bool:
    """Whether no number leaves [0, 1]; NaN is none, and all of a gate's numbers but some may be NaN."""
    first = values[:1]  # most that leave it do so at once
    if np.fmin.reduce(first, axis=None) < 0 or np.fmax.reduce(first, axis=None) > 1:
        return False
    least, most = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    return bool(least >= 0 and most <= 1)


def _add(arrays: dict[str, Entry], name: str, stacked: Stacked) -> None:
    arrays[name] = stacked.values
    if not stacked.bound.all():
        arrays["bound/" + name] = stacked.bound
    if stacked.derivative is not None:
        arrays["d" + name] = stacked.derivative
        if (stacked.bound & ~stacked.has_derivative).any():
            arrays["bound/d" + name] = stacked.has_derivative
    if stacked.inner is not None:
        arrays["inner/" + name] = stacked.inner
        if len(set(stacked.counts[stacked.bound].tolist())) > 1 or not stacked.bound.all():
            arrays["inner_count/" + name] = stacked.counts
    if stacked.inner_derivative is not None:
        arrays["inner/d" + name] = stacked.inner_derivative


def _dtype(dtypes: Iterable[torch.dtype]) -> str:
    """The one that holds the numbers of all."""
    return str(reduce(torch.promote_types, dtypes)).removeprefix("torch.")
