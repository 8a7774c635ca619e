"""`lstmtui open TARGET`, and `lstmtui` alone: the debugger in this terminal."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.commands.run_arguments import add_run_arguments
from lstmtui.errors import UserError

if TYPE_CHECKING:
    from lstmtui.scenario import Scenario
    from lstmtui.trace import Trace, Traces
    from lstmtui.tui.start import Choice, Opening, Progress, Start

SUMMARY = "debug a scenario or a saved trace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target, and how to run and to draw it."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a scenario .toml, the name of a bundled one, or a saved trace",
    )
    add_run_arguments(parser)
    parser.add_argument(
        "--color", choices=("auto", "truecolor", "256", "16", "none"), default="auto", help="how many colours"
    )
    parser.add_argument("--ascii", action="store_true", help="nothing but ASCII on screen")


def run(arguments: argparse.Namespace) -> int:
    """Look at the target before the screen opens, so that its problems are said on stderr."""
    start = _start(arguments)
    from lstmtui.tui.launch import launch

    launch(start, color=arguments.color, ascii=arguments.ascii)
    return 0


def _start(arguments: argparse.Namespace) -> Start:
    from lstmtui.capture.engine import Engine
    from lstmtui.scenario import bundled_scenarios, find_scenario
    from lstmtui.tui.start import Start

    opener = functools.partial(_opening, arguments=arguments)
    if arguments.target is None:
        return Start(choices=_choices(), opener=opener, engine=Engine())
    target = find_scenario(arguments.target)
    if not target.exists():
        bundled = ", ".join(path.stem for path in bundled_scenarios())
        raise UserError(f"{target}: there is no such file, trace or bundled scenario; bundled are {bundled}")
    if target.is_dir():
        from lstmtui.trace import load

        traces = load(target)
        return Start(traces, target, Engine(), choices=_choices(), opener=opener)
    return Start(opening=opener(target), choices=_choices(), opener=opener, engine=Engine())


def _choices() -> list[Choice]:
    from lstmtui.scenario import bundled_scenarios, scenario_title
    from lstmtui.tui.start import Choice

    return [Choice(path, scenario_title(path), path.stem) for path in bundled_scenarios()]


def _opening(path: Path, arguments: argparse.Namespace) -> Opening:
    """The scenario as something to record off the event loop; its problems are raised here."""
    from lstmtui.scenario import load_scenario
    from lstmtui.tui.start import Opening

    scenario = load_scenario(path)
    return Opening(scenario.title, functools.partial(_record, scenario, arguments), path)


def _record(scenario: Scenario, arguments: argparse.Namespace, progress: Progress) -> Trace | Traces:
    from lstmtui.capture.run import run

    return run(scenario, arguments.device, arguments.dtype, progress)
