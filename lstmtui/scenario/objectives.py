"""[objective]: the loss, where it is taken, and of what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.closest import closest
from lstmtui.scenario.inputs import Source
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input, ModelSpec, Objective
from lstmtui.scenario.schema import ObjectiveTable
from lstmtui.scenario.targets import read_target, within_lengths
from lstmtui.scenario.validation import validate
from lstmtui.wording import counted

_PLACES = ("last", "every")


def read_objective(
    raw: Mapping[str, Any], source: Source | None, folder: Path, report: Report
) -> Objective | None:
    """Read [objective]; None where its problems or those of the input leave nothing to go on with.

    Args:
        raw: the table, empty where the file has none.
        source: the input.
        folder: what file names are relative to.
        report: gets every problem.
    """
    before = len(report)
    table, broken = validate(ObjectiveTable, raw, ("objective",), report)
    if "loss" in broken or "target" in broken:
        return None
    task = source.task if source else None
    has_target = table.target is not None or (task is not None and table.loss != "sum")
    loss = table.loss or (task.loss if task else None if has_target else "sum")
    at = table.at if table.at is not None else task.at if task else "every" if has_target else "last_hidden"
    _check_at(table.at, source, report)
    _check_loss(loss, table, has_target or source is None or "target" in raw, report)
    if source is None or loss is None or len(report) > before:
        if table.target is not None and loss != "sum":
            read_target(table.target, None, False, loss == "cross_entropy", folder, report)
        return None
    if loss == "sum":
        mask = _mask(at, source.input) & within_lengths(source.input)
        return _checked(Objective(loss, at, None, mask), report)
    if table.target is None:
        return _of_task(loss, at, source, report)
    target = read_target(table.target, source.input, at != "every", loss == "cross_entropy", folder, report)
    if target is None:
        return None
    mask, is_forecast = _mask(at, source.input) & target[1], table.target == "next"
    return _checked(Objective(loss, at, target[0], mask, is_forecast), report)


def check_output(
    objective: Objective, source: Input, next_token: bool, model: ModelSpec, place: int, report: Report
) -> None:
    """Report where a model's y does not have the size that the objective needs.

    Args:
        objective: what y is compared with.
        source: the input.
        next_token: the target is the next token, so that y must have a value for each one.
        model: the model.
        place: its position in the file.
        report: gets the problem.
    """
    if objective.target is None:
        return
    size, key = model.output_size, "head" if model.head else model.origin or "hidden_size"
    advice = "say head = {} or more" if objective.loss == "cross_entropy" else "say head = {}"
    if model.origin:
        advice = "a head of {} is needed" + ("" if model.origin == "onnx" else ', by its path: head = "…"')
    tokens = source.size if next_token else 0
    if wrong := size_problem(objective, size, tokens):
        report.add(("model", place, key), wrong, advice.format(max(tokens, _needed(objective))))


def size_problem(objective: Objective, size: int, tokens: int = 0) -> str:
    """Why y with so many values does not fit the target; empty where it does.

    Args:
        objective: has a target.
        size: how many values y has.
        tokens: how many there are, each of which must have a value; 0: those in the target.
    """
    needed = _needed(objective)
    if objective.loss == "cross_entropy":
        fits = size >= max(tokens, needed)
        return "" if fits else f"y has {counted(size, 'value')} and the target has ids up to {needed - 1}"
    return "" if size == needed else f"y has {counted(size, 'value')} and the target {needed:,}"


def _needed(objective: Objective) -> int:
    """How many values the target needs, of ids at least."""
    assert objective.target is not None
    if objective.loss == "cross_entropy":
        return int(objective.target[objective.mask].max()) + 1
    return int(objective.target.shape[2])


def _check_loss(loss: str | None, table: ObjectiveTable, has_target: bool, report: Report) -> None:
    """Report a loss without a target, a target without a loss, and a sum with one."""
    if loss is None:
        report.add(
            ("objective", "loss"),
            "is missing, although there is a target",
            one_of(("mse", "cross_entropy", "bce")),
        )
    elif loss == "sum" and table.target is not None:
        report.add(("objective", "target"), "the sum is not compared with a target", "leave it out")
    elif loss not in (None, "sum") and not has_target:
        report.add(("objective", "loss"), f"{loss} needs a target", 'say target = "next", values or a file')


def _check_at(at: Any, source: Source | None, report: Report) -> None:
    place = ("objective", "at")
    allowed = '"last", "every" or a timestep'
    if at is None:
        return
    if isinstance(at, str):
        if at not in _PLACES:
            report.add(place, f"is {shown(at)}", "allowed: " + allowed, closest(at, _PLACES))
    elif isinstance(at, bool) or not isinstance(at, int):
        report.add(place, f"is {shown(at)}", "allowed: " + allowed)
    elif at < 0 or (source is not None and at >= source.input.steps):
        last = f"0 to {source.input.steps - 1}" if source else "0 or more"
        report.add(place, f"there is no timestep {shown(at)}", f'allowed: {last}, "last" or "every"')


def _mask(at: Any, source: Input) -> Array:
    """(T, B) bool: the timesteps that `at` names; the last one is each sequence's own."""
    steps = np.arange(source.steps)[:, None]
    if at == "every":
        return np.ones((source.steps, source.batch), dtype=bool)
    lengths = source.steps if source.lengths is None else source.lengths
    chosen = steps == (lengths - 1 if at in ("last", "last_hidden") else at)
    return np.broadcast_to(chosen, (source.steps, source.batch)).copy()


def _of_task(loss: str, at: Any, source: Source, report: Report) -> Objective | None:
    """A task's own target, with the loss and place that the file may have given."""
    task = source.task
    assert task is not None
    if (loss == "cross_entropy") != (task.loss == "cross_entropy"):
        report.add(("objective", "loss"), f"is {loss}, and the task's target is made for {task.loss}")
        return None
    return _checked(Objective(loss, at, task.target, _mask(at, source.input) & task.defined), report)


def _checked(objective: Objective, report: Report) -> Objective | None:
    """The objective, unless it is taken nowhere or its target is out of range."""
    if not objective.mask.any():
        report.add(
            ("objective", "at"), "no sequence has a target there", 'allowed: "every", or another timestep'
        )
        return None
    if objective.loss == "bce" and objective.target is not None:
        taken = objective.target[objective.mask]
        if (taken < 0).any() or (taken > 1).any():
            report.add(("objective", "target"), "bce compares with values from 0 to 1, the target has others")
            return None
    return objective
