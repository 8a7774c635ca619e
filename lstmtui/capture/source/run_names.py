"""The names of a run, and what follows from them together: its states, and how many sequences it reads."""

from __future__ import annotations

from lstmtui.capture.source.carried import carried_by
from lstmtui.capture.source.runs import Run
from lstmtui.capture.source.series import outside_of, series_of
from lstmtui.capture.source.shapes import batch_of
from lstmtui.capture.source.source_layer import Conditions


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
        self.carried = carried_by(every, run)
        # What other functions return without a name is an intermediate result, if no state.
        self.in_rounds = [
            part
            for part in every
            if not part.is_returned or part.code is run.call.code or part in self.carried
        ]
        self.steps = len(run.rounds) or conditions.steps
        self.batch = batch_of(
            self.in_rounds or self.outside,
            self.carried,
            conditions.inputs,
            {conditions.steps, self.steps},
            conditions.features,
        )
        for part in self.in_rounds:
            part.gather()
