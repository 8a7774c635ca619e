"""A scenario with time reversed, for a model that reads sequences from their ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstmtui.arrays import Array
from lstmtui.scenario import Input, Objective


def reverse_time(source: Input, objective: Objective) -> tuple[Input, Objective]:
    """The input and the objective with the last timestep of each sequence first; padding stays at the end."""
    steps = np.arange(source.steps)[:, None]
    lengths = np.full(source.batch, source.steps) if source.lengths is None else source.lengths
    order = np.where(steps < lengths, lengths - 1 - steps, steps)
    column = np.arange(source.batch)

    def turn(array: Array | None) -> Array | None:
        return None if array is None else array[order, column]

    mask = objective.mask[order, column]
    return (
        replace(source, values=turn(source.values), tokens=turn(source.tokens)),
        replace(objective, target=turn(objective.target), mask=mask),
    )
