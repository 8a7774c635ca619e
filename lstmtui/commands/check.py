"""`lstmtui check`: validate scenarios, report every problem at once, and list what checkpoints hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.printable import printable
from lstmtui.uncollected import uncollected
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.scenario import Scenario
    from lstmtui.session.language import ScriptProblem

SUMMARY = "validate scenario files, or list the recurrent layers of checkpoints"

_MOST_SOUND, _MOST_REFUSED = 100, 20
"""How many layers that can be debugged, and that cannot, are listed."""
_EXPECTED = "it is known by names such as weight_ih_l0 and weight_hh_l0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument(
        "scenarios",
        metavar="FILE",
        nargs="+",
        help="a scenario .toml, the name of a bundled one, or a checkpoint (.safetensors .pt .onnx .keras …)",
    )


@uncollected()
def run(arguments: argparse.Namespace) -> int:
    """Status 0 where every file is fine, 2 where one is not."""
    from lstmtui.scenario.models.checkpoints import KINDS

    statuses = [
        _list(file) if Path(file).suffix.lower() in (*KINDS, ".onnx") else _check(file)
        for file in arguments.scenarios
    ]
    return max(statuses)


def _check(file: str) -> int:
    """Read a scenario and its script; a model's own Python does not run, so no trust is needed."""
    from lstmtui.scenario import ScenarioError, find_scenario, load_scenario
    from lstmtui.trace import is_trace

    if is_trace(Path(file)):
        print(f"{printable(file)}: is a saved trace; `lstmtui diagnose` says what is in it", file=sys.stderr)
        return 2
    try:
        scenario = load_scenario(find_scenario(file), trust=True)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    problems = _script_problems(scenario)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 2
    print(f"{printable(file)}: fine: {_describe(scenario)}")
    for model in scenario.models:
        for note in model.notes:
            print(f"{printable(file)}: note: {printable(note)}")
    return 0


def _script_problems(scenario: Scenario) -> list[ScriptProblem]:
    """What is wrong with the scenario's script, as far as it is known before anything runs."""
    from lstmtui.commands.scenario_script import script_of, vocabulary
    from lstmtui.scenario.blank_traces import blank_traces

    if not scenario.script.strip():
        return []
    return script_of(scenario).problems(vocabulary(scenario), blank_traces(scenario))


def _list(file: str) -> int:
    """Print the path and the sizes of every recurrent layer of a checkpoint or ONNX model.

    Status 2 where it holds none that can be debugged.
    """
    from lstmtui.scenario.models.layers_in_file import layers_in_file, read_onnx
    from lstmtui.scenario.problem import Problem
    from lstmtui.scenario.report import DataError

    graph = None
    try:
        if Path(file).suffix.lower() == ".onnx":
            graph = read_onnx(Path(file))
        layers = layers_in_file(Path(file)) if graph is None else graph.layers
    except DataError as error:
        print(Problem(file, None, "", error.wrong_of(file), error.allowed, error.suggestion), file=sys.stderr)
        return 2
    if not layers:
        why = _EXPECTED if graph is None else graph.why_none
        print(Problem(file, None, "", "no recurrent layer", why), file=sys.stderr)
        return 2
    print(f"{printable(file)}: {counted(len(layers), 'recurrent layer')}")
    if graph is not None:
        takes, gives = (", ".join(map(str, values)) for values in (graph.inputs, graph.outputs))
        print(f"  the graph takes {takes or 'nothing'}; it gives {gives}")
    sound = [layer for layer in layers if layer.layout is not None]
    refused = [layer for layer in layers if layer.layout is None]
    listed = {id(layer) for layer in (*sound[:_MOST_SOUND], *refused[:_MOST_REFUSED])}
    for layer in layers:
        if id(layer) in listed:
            facts = (*getattr(layer, "facts", ()), *layer.notes)
            print(f"  {printable('; '.join((str(layer), *facts)))}")
    for kind, most in ((sound, _MOST_SOUND), (refused, _MOST_REFUSED)):
        if len(kind) > most:
            what = "that can" if kind is sound else "that cannot"
            print(f"  and {len(kind) - most:,} more {what} be debugged")
    return 0 if sound else 2


def _describe(scenario: Scenario) -> str:
    from lstmtui.cells.glossary import LAST_HIDDEN

    source, objective = scenario.input, scenario.objective
    size = counted(source.size, "channel" if source.tokens is None else "token id")
    loss = f"{objective.loss} at {objective.at}"
    if objective.at == "last_hidden":
        headless = any(getattr(model, "head", None) is None for model in scenario.models)
        loss = LAST_HIDDEN if headless else "sum at last"
    return f"{counted(len(scenario.models), 'model')}, T={source.steps:,}, B={source.batch:,}, {size}, {loss}"
