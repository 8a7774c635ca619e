"""`lstmtui check`: validate scenarios, and say every problem at once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.scenario import Scenario

SUMMARY = "validate scenario files, and say every problem at once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument(
        "scenarios",
        metavar="SCENARIO",
        nargs="+",
        help="a .toml, or the name of a bundled one",
    )


def run(arguments: argparse.Namespace) -> int:
    """Status 0 where every file is fine, 2 where one is not."""
    from lstmtui.scenario import ScenarioError, find_scenario, load_scenario

    status = 0
    for file in arguments.scenarios:
        try:
            scenario = load_scenario(find_scenario(file))
        except ScenarioError as error:
            print(error, file=sys.stderr)
            status = 2
        else:
            print(f"{printable(file)}: fine: {_describe(scenario)}")
    return status


def _describe(scenario: Scenario) -> str:
    from lstmtui.scenario.problem import counted

    source, objective = scenario.input, scenario.objective
    size = counted(source.size, "channel" if source.tokens is None else "token id")
    return (
        f"{counted(len(scenario.models), 'model')}, T={source.steps:,}, B={source.batch:,}, {size}, "
        f"{objective.loss} at {objective.at}"
    )
