"""latch: remember one bit over a gap of noise (after Bengio, Simard & Frasconi 1994)."""

from __future__ import annotations

import numpy as np

from lstmtui.scenario.tasks.task import Generator, Option, Task, TaskData


def latch(length: int, batch: int, rng: Generator, *, noise: float, distractors: float) -> TaskData:
    """The bit, ±1, is seen at t = 0 only; noise and false bits follow; the target is the bit, as 0 or 1."""
    bit = rng.integers(0, 2, size=batch)
    values = np.zeros((length, batch, 2))
    values[0, :, 0] = 2 * bit - 1
    values[1:, :, 1] = noise * rng.standard_normal((length - 1, batch))
    false_bit = rng.random((length - 1, batch)) < distractors
    values[1:, :, 1] += false_bit * (2 * rng.integers(0, 2, size=(length - 1, batch)) - 1)
    target = np.broadcast_to(bit.astype(np.float64)[None, :, None], (length, batch, 1)).copy()
    everywhere = np.ones((length, batch), dtype=bool)
    return TaskData(("bit", "noise"), "bce", "last", target, everywhere, values=values)


LATCH = Task(
    "latch",
    "remember a bit over a gap of noise",
    latch,
    length=50,
    least_length=lambda options: 2,
    options={
        "noise": Option(0.5, 0.0, 100.0, "standard deviation of the noise after the bit"),
        "distractors": Option(0.1, 0.0, 1.0, "how often a false bit is added to the noise"),
    },
)
