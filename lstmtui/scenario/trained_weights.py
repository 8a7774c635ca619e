"""Where the weights of a trained model are written, and what its scenario must say to use them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmtui.printable import printable
from lstmtui.scenario.files import read_text
from lstmtui.scenario.lines import Lines
from lstmtui.scenario.problem import Problem, ScenarioError, shown
from lstmtui.scenario.scenario import ModelSpec, Scenario

_LONGEST_NAME = 100


@dataclass(frozen=True)
class WeightFile:
    """The file that a model's weights are written to."""

    path: Path
    advice: str
    """The line that the scenario lacks, and where; empty where it names the file already."""


def weight_files(
    scenario: Scenario, specs: Sequence[ModelSpec], folder: Path | None = None
) -> Mapping[str, WeightFile]:
    """The file of the weights of each model: the one that `weights = …` names, or SCENARIO-MODEL.safetensors.

    Args:
        scenario: beside whose file they are.
        specs: its models.
        folder: where they are written instead.

    Raises:
        ScenarioError: with every file that cannot be written, or that two models would write.
    """
    lines = Lines(read_text(scenario.path))
    home = scenario.path.parent if folder is None else folder
    files: dict[str, WeightFile] = {}
    problems: list[Problem] = []
    taken: dict[Path, str] = {}
    for spec in specs:
        name = spec.weights or _free_name(scenario, spec, set(taken), home)
        path = home / (Path(name).name if folder is not None else name)
        wrong = _why_not(path, home, taken)
        if wrong:
            key = ("model", spec.position, "weights")
            place = f"model[{spec.position}]" + (".weights" if spec.weights else "")
            problems.append(Problem(str(scenario.path), lines.find(key), place, *wrong))
        taken[path.resolve()] = spec.name
        files[spec.name] = WeightFile(path, "" if spec.weights else _advice(name, spec, lines))
    if problems:
        raise ScenarioError(problems)
    return files


def _free_name(scenario: Scenario, spec: ModelSpec, taken: set[Path], home: Path) -> str:
    """SCENARIO-MODEL.safetensors; models whose names differ in other than letters and digits are numbered."""
    model = re.sub(r"[^\w.]+", "-", spec.name).strip("-.")[:_LONGEST_NAME] or "model"
    stem = f"{scenario.path.stem}-{model}"
    used = {str(path).casefold() for path in taken}
    for number in range(1, len(taken) + 2):
        name = f"{stem}{'' if number == 1 else f'-{number}'}.safetensors"
        if str((home / name).resolve()).casefold() not in used:
            break
    return name


def _why_not(path: Path, home: Path, taken: Mapping[Path, str]) -> tuple[str, str] | None:
    """What is wrong with a file, and what to do; None where it can be written."""
    target = path.resolve()
    if target in taken:
        return f"{shown(path.name)} is written by model {shown(taken[target])} too", "name another file"
    if not target.is_relative_to(home.resolve()):
        return f"{shown(str(path))} lies outside the scenario's folder", "-o DIR writes it elsewhere"
    if path.is_dir():
        return f"{shown(str(path))} is a folder", "name a file"
    nearest = next(parent for parent in target.parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return f"nothing can be written into {shown(str(nearest))}", "-o DIR writes it elsewhere"
    return None


def _advice(name: str, spec: ModelSpec, lines: Lines) -> str:
    """The line to put into the [[model]], and what it takes the place of."""
    table = ("model", spec.position)
    key = "parameters" if spec.parameters is not None else "seed"
    line, whole = lines.find((*table, key)), lines.find(table)
    instead = "" if line in (None, whole) else f" in place of {key} (line {line})"
    text = json.dumps(name, ensure_ascii=False)
    return printable(f"weights = {text} goes into the [[model]] of line {whole}{instead}")
