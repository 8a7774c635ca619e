"""The names of a run, and what follows from them together: its states, and how many sequences it reads."""

from __future__ import annotations

from collections.abc import Collection

from lstmtui.capture.source.carried import carried_by
from lstmtui.capture.source.run import Run
from lstmtui.capture.source.series import Series, outside_of, series_of
from lstmtui.capture.source.shapes import Batch, batch_of
from lstmtui.capture.source.source_layer import Conditions
from lstmtui.capture.source.unit_axes import UnitAxes


class RunNames:
    """What the names of a run are bound to.

    Attributes:
        in_rounds: those that rounds bind, once for each place.
        outside: those that are bound before and after.
        carried: for each state those that the next round has it under.
        batch: how many sequences the run reads.
        steps: how many rounds it has; where it has none, of all runs.

    Args:
        run: of a module or a function.
        conditions: of the recording.
    """

    def __init__(self, run: Run, conditions: Conditions) -> None:
        self.run, self.conditions = run, conditions
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
        self.steps = len(run.rounds) or conditions.steps
        axes = UnitAxes(conditions.units)
        for part in self.carried:
            part.units = axes.of(part.bindings)
        self._axes = axes
        self.batch = self._read(conditions.axes.sequences(conditions.inputs))
        self._find_units()

    @property
    def has_states(self) -> bool:
        """Whether one round leaves numbers to the next, which tell how many sequences there are."""
        return any(part.first.value.is_floating_point() for part in self.carried)

    def read_as_others(self, size: int) -> None:
        """Take the run to read as many sequences as others of its recording do, if its names may."""
        batch = Batch(1) if size == 1 else self._read({size})
        if batch.size != size and not self.has_states:
            batch = Batch(1)  # as a loop over the sequences themselves, each of which is then by itself
        if batch.size in (1, size):
            self.batch = batch
            self._find_units()

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
        for part in (*self.in_rounds, *self.outside):
            if part not in self.carried and _is_ambiguous(part, {self.steps, self.batch.size}):
                part.units = self._axes.of(part.bindings)


def _is_ambiguous(part: Series, sizes: Collection[int]) -> bool:
    """Whether several axes are as long as the sequences are many, or as the run."""
    shape = part.first.value.shape
    return any(shape.count(size) > 1 for size in sizes)
