"""The tasks that a scenario can name: sequences, targets and a loss from a seed."""

from __future__ import annotations

import numpy as np

from lstmtui.closest import closest
from lstmtui.errors import UserError
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.tasks.adding import ADDING
from lstmtui.scenario.tasks.brackets import BRACKETS
from lstmtui.scenario.tasks.copy import COPY
from lstmtui.scenario.tasks.latch import LATCH
from lstmtui.scenario.tasks.sine import SINE
from lstmtui.scenario.tasks.task import Option, Task, TaskData

TASKS: dict[str, Task] = {task.name: task for task in (LATCH, ADDING, COPY, BRACKETS, SINE)}
"""Every task by name."""

MAX_TIMESTEPS = 1 << 22
"""The most timesteps of all sequences together that a task makes."""

__all__ = ["MAX_TIMESTEPS", "TASKS", "Option", "Task", "TaskData", "make_task", "misfit"]


def make_task(name: str, *, length: int, batch: int, seed: int, **options: float) -> TaskData:
    """Draw sequences of a task; the same arguments give the same arrays.

    Args:
        name: latch, adding, copy, brackets or sine.
        length: T, the number of timesteps.
        batch: B, the number of sequences.
        seed: of the random numbers.
        options: those of the task; what is left out has its default.

    Raises:
        UserError: there is no such task or option, or a value is out of range.
    """
    if name not in TASKS:
        meant = closest(name, TASKS)
        hint = f'; did you mean "{meant}"?' if meant else ""
        raise UserError(f"there is no task {shown(name)}; {one_of(TASKS)}{hint}")
    task = TASKS[name]
    for key, value in options.items():
        if key not in task.options:
            raise UserError(f"{name} has no option {shown(key)}; {one_of(task.options)}")
        if wrong := misfit(task.options[key], value):
            raise UserError(f"{key} {wrong}")
    settings = task.settings(options)
    least = task.least_length(settings)
    if length < least or batch < 1 or length * batch > MAX_TIMESTEPS:
        raise UserError(
            f"{name} needs {least} timesteps or more, 1 sequence or more, {MAX_TIMESTEPS:,} timesteps at most"
        )
    return task.generate(length, batch, np.random.default_rng(seed), **settings)


def misfit(option: Option, value: object) -> str:
    """What is wrong with a value for an option, or an empty string."""
    kinds = int if option.whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds):
        return f"must be a {'whole ' if option.whole else ''}number, is {shown(value)}"
    if not option.least <= value <= option.most:
        return f"must lie between {option.least:g} and {option.most:g}, is {shown(value)}"
    return ""
