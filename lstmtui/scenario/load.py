"""From a scenario file to a scenario, or to all of the file's problems."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.closest import closest
from lstmtui.printable import printable
from lstmtui.scenario.bundled import is_bundled, nearest_scenario
from lstmtui.scenario.files import read_text
from lstmtui.scenario.problem import Problem, ScenarioError, shown
from lstmtui.scenario.report import DataError, Report
from lstmtui.scenario.scenario import FactorySpec, ModelSpec, RunSpec, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmtui.scenario.schema import FileTable

LARGEST = 1 << 20
"""The most bytes a scenario file may have; longer sequences belong into files of their own."""

_ENDLESS_KEY = re.compile(
    r"""(?:^|[{,])[ \t\[]*(?:(?:[\w-]+|"(?:\\.|[^"\\\n]){0,200}"|'[^'\n]{0,200}')[ \t]*\.[ \t]*){100}""",
    re.MULTILINE,
)
"""A key of so many parts that `tomllib` would take for ever."""
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_TOML_HINTS = {
    "invalid value": "; text stands in quotation marks",
    r"illegal character '\n'": "; a text has no closing quotation mark",
    'expected "\'"': "; a text has no closing quotation mark",
    "cannot overwrite a value": "; the key is there twice",
}
"""What to do, by how a sentence of Python's parser begins."""


def load_scenario(path: str | Path, trust: bool = False, *, fresh: bool = False) -> Scenario:
    """Read and check a scenario file, its data and its weights. Nothing of it is run.

    Args:
        path: the file.
        trust: whether it may have models that the maker's own Python code builds; what comes with the package
            may.
        fresh: whether models whose weights lie in a file begin anew, from seed 0; the file need not be there.

    Raises:
        ScenarioError: with every problem that was found.
    """
    from lstmtui.scenario.other_files import why_no_scenario

    file = str(path)
    path = Path(path)
    try:
        if path.is_file() and (why := why_no_scenario(path)):
            raise DataError(why)
        text = read_text(path, LARGEST)
    except DataError as error:
        meant = error.suggestion or ("" if path.exists() else nearest_scenario(file))
        raise ScenarioError([Problem(file, None, "", error.wrong_of(file), error.allowed, meant)]) from None
    report = Report(file, text)
    raw = parse_toml(file, text)

    import numpy as np

    with np.errstate(all="ignore"):  # NaN and inf in a file are data like any other
        try:
            scenario = _read(raw, path, report, trust or is_bundled(path), fresh)
        except MemoryError:
            problem = Problem(file, None, "", "its data does not fit into this machine's memory")
            raise ScenarioError([problem]) from None
    report.raise_if_any()
    assert scenario is not None
    if is_bundled(path):
        models = (replace(m, is_bundled=True) if isinstance(m, FactorySpec) else m for m in scenario.models)
        scenario = replace(scenario, models=tuple(models))
    return scenario


def parse_toml(file: str, text: str) -> dict[str, Any]:
    """The TOML document as tables."""
    endless = _ENDLESS_KEY.search(text)
    if endless:
        place = text.count("\n", 0, endless.end()) + 1
        raise ScenarioError([Problem(file, place, "", "the key has too many parts")])
    line: int | None
    try:
        return tomllib.loads(text)
    except RecursionError:
        line, sentence = None, "nested too deeply"
    except ValueError as error:
        position = re.search(r"\s*\(at line (\d+), column \d+\)|\s*\(at end of document\)", str(error))
        line = int(position[1]) if position and position[1] else text.count("\n") + 1 if position else None
        sentence = str(error)[: position.start()] if position else str(error)
    sentence = sentence[:1].lower() + sentence[1:200]
    hint = next((hint for start, hint in _TOML_HINTS.items() if sentence.startswith(start)), "")
    raise ScenarioError([Problem(file, line, "", f"is not TOML: {sentence}{hint}")])


def _read(raw: Mapping[str, Any], path: Path, report: Report, trust: bool, fresh: bool) -> Scenario | None:
    """Everything the file says; None where there are problems."""
    from lstmtui.scenario.drawing import drawing_of
    from lstmtui.scenario.inputs import read_input
    from lstmtui.scenario.laws_table import read_laws
    from lstmtui.scenario.models.model_reader import Context
    from lstmtui.scenario.models.tables import read_models
    from lstmtui.scenario.objectives import check_output, read_objective
    from lstmtui.scenario.schema import FileTable
    from lstmtui.scenario.validation import validate

    raw = _with_model_list(raw, report)
    table, broken = validate(FileTable, raw, (), report)
    for key, allowed in (("input", "a table that says what the models see"), ("model", "[[model]] tables")):
        if getattr(table, key) in (None, []) and key not in broken:
            report.add((key,), "missing", allowed)
    folder = path.parent
    source = None if table.input is None else read_input(table.input, folder, report)
    objective = read_objective(table.objective or {}, source, folder, report)
    context = Context(source.input if source else None, folder, report, trust, fresh)
    models = read_models(table.model or [], context)
    laws = read_laws(table.laws or {}, source.input if source else None, trust, report)
    run, script = _read_run(table, report), _read_script(table, report)
    if source is None or objective is None:
        return None
    is_next = (table.objective or {}).get("target") == "next"
    for position, model in models:
        if not isinstance(model, ModelSpec):
            continue  # what it gives is known when it has run
        check_output(objective, source.input, is_next, model, position, report)
    return Scenario(
        path=path,
        title=printable((table.title or "").strip() or path.stem),
        notes=printable(table.notes or "", lines=True),
        input=source.input,
        objective=objective,
        models=tuple(model for _, model in models),
        run=run,
        script=script,
        laws=laws,
        fresh=drawing_of(source.drawn_from, table.objective or {}),
    )


def _with_model_list(raw: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    """A single [model] is reported, and read as if it were [[model]]."""
    model = raw.get("model")
    if not isinstance(model, dict):
        return raw
    report.add(("model",), "is one table", "write [[model]], with two brackets")
    return {**raw, "model": [model]}


def _read_run(table: FileTable, report: Report) -> RunSpec:
    from lstmtui.scenario.schema import RunTable
    from lstmtui.scenario.validation import validate

    run, _ = validate(RunTable, table.run or {}, ("run",), report)
    if not _DEVICE.fullmatch(run.device):
        meant = "cuda" if run.device == "gpu" else closest(run.device, ("auto", "cpu", "cuda", "mps"))
        report.add(
            ("run", "device"), f"is {shown(run.device)}", "allowed: auto, cpu, cuda, cuda:N, mps", meant
        )
    return RunSpec(run.device, run.dtype)


def _read_script(table: FileTable, report: Report) -> str:
    from lstmtui.scenario.schema import PlaybackTable
    from lstmtui.scenario.validation import validate

    playback, _ = validate(PlaybackTable, table.playback or {}, ("playback",), report)
    return playback.script
