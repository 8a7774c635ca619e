"""The names of a run, and what follows from them together: its states, and how many sequences it reads."""

from __future__ import annotations

from collections.abc import Collection, Set

from lstmtui.capture.equality import equal
from lstmtui.capture.source.input_axes import Shape
from lstmtui.capture.source.layers.carried import carried_by
from lstmtui.capture.source.layers.layer_axes import layer_axes
from lstmtui.capture.source.layers.series import Series, outside_of, series_of
from lstmtui.capture.source.layers.shapes import Batch, batch_of
from lstmtui.capture.source.layers.source_layer import Conditions
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.source.tracing.unit_axes import UnitAxes


class RunNames:
    """What the names of a run are bound to.

    Attributes:
        in_rounds: those that rounds bind, once for each place.
        unnamed: what other functions return in rounds without a name.
        outside: those that are bound before and after.
        carried: for each state those that the next round has it under.
        batch: how many sequences the run reads.
        steps: how many rounds it has; where it has none, of all runs.

    Args:
        run: of a module or a function.
        conditions: of the recording.
        unit_axes: says which axes of its tensors are known to be units.
    """

    def __init__(self, run: Run, conditions: Conditions, unit_axes: UnitAxes) -> None:
        self.run, self.conditions, self._unit_axes = run, conditions, unit_axes
        every, self.outside = series_of(run), [part for part in outside_of(run) if not part.is_returned]
        for part in (*every, *self.outside):
            part.show_complex()
        for part in every:
            part.gather()
        self.carried = carried_by(every, run)
        # What other functions return without a name is an intermediate result, if no state.
        self.in_rounds = [
            part
            for part in every
            if not part.is_returned or part.code is run.call.code or part in self.carried
        ]
        self.unnamed = [part for part in every if part not in self.in_rounds]
        self.steps = len(run.rounds) or conditions.steps
        for part in self.carried:
            part.units = self._units_of(part)
        self.batch = self._read_as_said(conditions.axes.sequences(conditions.inputs))
        self._find_units()

    @property
    def has_states(self) -> bool:
        """Whether one round leaves numbers to the next, which tell how many sequences there are."""
        return bool(self._shapes_of_states())

    def _shapes_of_states(self) -> list[Shape]:
        values = [part.first.value for part in self.carried]
        return [tuple(v.shape) for v in values if v.dim() > 0 and v.is_floating_point()]

    def read_as_others(self, size: int) -> None:
        """Take the run to read as many sequences as others of its recording do, if its names may."""
        batch = Batch(1) if size == 1 else self._read({size})
        if batch.size != size and not self.has_states:
            # A loop over the sequences themselves has each of them by itself.
            batch = Batch(size if self._is_given(size) else 1)
        if batch.size in (1, size):
            self.batch = batch
            self._find_units()

    def _read_as_said(self, said: Set[int]) -> Batch:
        """How many sequences the run reads; `said`: what the user says of the input, empty where nothing is.

        Where no state tells otherwise, it is as many as most names have in any place, and one where it has
        rows for several timesteps of each.
        """
        batch, of_states = self._read(said), self._shapes_of_states()
        if len(said) != 1 or batch.size in said or not all(said & {*shape} for shape in of_states):
            return batch
        (size,) = said
        shapes = [part.first.value.shape for part in self.in_rounds or self.outside]
        shapes = [shape for shape in shapes if len(shape) > 1]
        if 2 * sum(size in shape for shape in shapes) >= len(shapes) > 0:
            return Batch(size)
        return Batch(1) if batch.size % size == 0 and not of_states else batch

    def _is_given(self, size: int) -> bool:
        """Whether the tensors that its function is given have so many sequences, weights aside."""
        bindings = [binding for own in self.run.rounds for binding in own] or self.run.outside
        own = [b.value for b in bindings if not b.line and not b.leaf and b.call.code is self.run.call.code]
        return bool(own) and all(size in value.shape[:2] for value in own if value.dim() > 1)

    def _read(self, said: Collection[int]) -> Batch:
        """How many sequences the run reads; `said`: what it may be, empty where that is open."""
        conditions = self.conditions
        return batch_of(
            self.in_rounds or self.outside,
            self.carried,
            conditions.inputs,
            {conditions.steps, self.steps, *conditions.stretches},
            conditions.features,
            said,
        )

    def _find_units(self) -> None:
        for part in (*self.in_rounds, *self.unnamed, *self.outside):
            if part not in self.carried and _is_ambiguous(part, self.steps, self.batch.size):
                part.units = self._units_of(part)
                if part.rounds and self._stays_of_parameters(part):
                    part.units = frozenset(range(part.first.value.dim()))
            if part.rounds and len(axes := self._candidates(part)) > 1:
                part.units |= layer_axes(part, self.run.rounds, axes, lambda b: self._unit_axes.of([b]))

    def _units_of(self, part: Series) -> frozenset[int]:
        """The axes of what a name is bound to that are known to be units."""
        units = self._unit_axes.of(part.bindings)
        return units | {part.first.value.dim() - 1} if part.is_complex else units

    def _stays_of_parameters(self, part: Series) -> bool:
        """Whether a name has the same numbers in all rounds, and these are of parameters alone."""
        first, *others = part.bindings
        return self._unit_axes.is_of_parameters(first) and all(equal(first.value, o.value) for o in others)

    def _candidates(self, part: Series) -> list[int]:
        """The axes of what a name is bound to that may be the sequences."""
        shape, size = part.first.value.shape, self.batch.size
        return [n for n, own in enumerate(shape) if own == size > 1 and n not in part.units]

    @property
    def unsure(self) -> list[Series]:
        """The names of which several axes may be the sequences, but for the last: units are, by convention.

        Those are meant that are states or that autograd knows of: of others, such as masks, nothing follows.
        """
        return [
            part
            for part in self.in_rounds
            if len([n for n in self._candidates(part) if n < part.first.value.dim() - 1]) > 1
            and (part in self.carried or not part.first.absent)
        ]


def _is_ambiguous(part: Series, steps: int, batch: int) -> bool:
    """Whether several axes are as long as the run or as many as the sequences, or the last as the run."""
    shape = part.first.value.shape
    return any(shape.count(size) > 1 for size in (steps, batch)) or shape[-1:] == (steps,)
