"""More sequences of a scenario's task, with the objective that the scenario has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmtui.scenario.inputs import source_of
from lstmtui.scenario.objectives import read_objective
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input, Objective
from lstmtui.scenario.task_input import TaskInput


@dataclass(frozen=True)
class Drawing:
    """Draws sequences that nobody has seen."""

    task: TaskInput
    objective: Mapping[str, Any]
    """The table [objective] of the file; its target is the task's own, or the next timestep."""

    @classmethod
    def of(cls, task: TaskInput | None, objective: Mapping[str, Any]) -> Drawing | None:
        """None where there is no task, or the file gives a target, which is of its own sequences alone."""
        if task is None or objective.get("target") not in (None, "next"):
            return None
        return cls(task, objective)

    def draw(self, batch: int, seed: int) -> tuple[Input, Objective]:
        """Sequences (T, batch) of the task, and what they are compared with."""
        source = source_of(self.task, self.task.draw(batch=batch, seed=seed))
        report = Report("")
        objective = read_objective(self.objective, source, Path(), report)
        report.raise_if_any()
        assert objective is not None
        return source.input, objective
