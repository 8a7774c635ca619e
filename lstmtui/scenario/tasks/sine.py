"""sine: forecast the next value of a sine wave of random phase."""

from __future__ import annotations

import numpy as np

from lstmtui.scenario.tasks.task import Generator, Option, Task, TaskData


def sine(length: int, batch: int, rng: Generator, *, period: float, noise: float) -> TaskData:
    """The target is the wave one timestep later, without noise."""
    phase = rng.uniform(0, 2 * np.pi, size=batch)
    wave = np.sin(2 * np.pi * np.arange(length + 1)[:, None] / period + phase)
    values = wave[:-1] + noise * rng.standard_normal((length, batch))
    everywhere = np.ones((length, batch), dtype=bool)
    return TaskData(("sine",), "mse", "every", wave[1:, :, None].copy(), everywhere, values=values[..., None])


SINE = Task(
    "sine",
    "forecast the next value of a sine wave",
    sine,
    length=100,
    least_length=lambda options: 1,
    options={
        "period": Option(25.0, 2.0, 1e6, "timesteps per wave"),
        "noise": Option(0.0, 0.0, 100.0, "standard deviation of the noise on the input"),
    },
)
