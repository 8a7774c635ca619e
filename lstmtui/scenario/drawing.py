"""More sequences of a scenario's task, with the objective that the scenario has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lstmtui.scenario.inputs import source_of
from lstmtui.scenario.objectives import read_objective
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input, Objective
from lstmtui.scenario.task_input import TaskInput


def drawing_of(
    task: TaskInput | None, objective: Mapping[str, Any]
) -> Callable[[int, int], tuple[Input, Objective]] | None:
    """What draws (sequences, seed) of a task that nobody has seen, with what they are compared with.

    Args:
        task: as [input] names it.
        objective: the table [objective] of the file.

    Returns:
        None where there is no task, or the file gives a target, which is of its own sequences alone.
    """
    if task is None or objective.get("target") not in (None, "next"):
        return None

    def draw(batch: int, seed: int) -> tuple[Input, Objective]:
        source, report = source_of(task, task.draw(batch=batch, seed=seed)), Report("")
        drawn = read_objective(objective, source, Path(), report)
        report.raise_if_any()
        assert drawn is not None
        return source.input, drawn

    return draw
