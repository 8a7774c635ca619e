"""adding: the sum of the two marked numbers (Hochreiter & Schmidhuber 1997, numbers in [0, 1])."""

from __future__ import annotations

import numpy as np

from lstmtui.scenario.tasks.task import Generator, Task, TaskData


def adding(length: int, batch: int, rng: Generator) -> TaskData:
    """One number is marked in each half of the sequence; the target at the last timestep is their sum."""
    values = np.zeros((length, batch, 2))
    values[..., 0] = rng.random((length, batch))
    sequence = np.arange(batch)
    half = length // 2
    values[rng.integers(0, half, size=batch), sequence, 1] = 1
    values[rng.integers(half, length, size=batch), sequence, 1] = 1
    target = np.zeros((length, batch, 1))
    target[-1, :, 0] = (values[..., 0] * values[..., 1]).sum(axis=0)
    defined = np.zeros((length, batch), dtype=bool)
    defined[-1] = True
    return TaskData(("number", "marker"), "mse", "last", target, defined, values=values)


ADDING = Task("adding", "add the two marked numbers", adding, length=50, least_length=lambda options: 2)
