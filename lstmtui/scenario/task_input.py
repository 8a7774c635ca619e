"""task = "…": the keys of a task, checked, from which its sequences are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstmtui.closest import closest
from lstmtui.scenario.limits import MAX_BATCH, MAX_SEED
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.tasks import MAX_TIMESTEPS, TASKS, Option, TaskData, make_task, misfit


@dataclass(frozen=True)
class TaskInput:
    """A task as [input] names it, its keys checked."""

    name: str
    sizes: Mapping[str, int]
    """length, batch and seed."""
    options: Mapping[str, float]
    """Those of the task that the file gives."""

    def draw(self, **others: int) -> TaskData:
        """Its sequences; `others`: a batch or a seed in place of the file's."""
        sizes = {**self.sizes, **others}
        return make_task(
            self.name, length=sizes["length"], batch=sizes["batch"], seed=sizes["seed"], **self.options
        )


def read_task(name: str, keys: Mapping[str, Any], report: Report) -> TaskInput | None:
    """Read the keys of a task; None where they have problems.

    Args:
        name: of the task.
        keys: the keys of [input] that belong to a task; others have been reported.
        report: gets every problem.
    """
    if name not in TASKS:
        report.add(("input", "task"), f"there is no task {shown(name)}", one_of(TASKS), closest(name, TASKS))
        return None
    task = TASKS[name]
    common = {
        "length": Option(task.length, 1, MAX_TIMESTEPS, "timesteps"),
        "batch": Option(1, 1, MAX_BATCH, "sequences"),
        "seed": Option(0, 0, MAX_SEED, "of the random numbers"),
    }
    before = len(report)
    for key, option in {**common, **task.options}.items():
        if key in keys and (wrong := misfit(option, keys[key])):
            report.add(("input", key), wrong)
    if len(report) > before:
        return None
    sizes = {key: int(keys.get(key, option.default)) for key, option in common.items()}
    options = {key: keys[key] for key in task.options if key in keys}
    least = task.least_length(task.settings(options))
    if sizes["length"] < least:
        report.add(("input", "length"), f"must be {least} or more for this task, is {sizes['length']}")
    elif sizes["length"] * sizes["batch"] > MAX_TIMESTEPS:
        report.add(("input", "length"), f"length × batch must be {MAX_TIMESTEPS:,} or less")
    else:
        return TaskInput(name, sizes, options)
    return None
