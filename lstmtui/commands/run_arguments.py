"""What the verbs that run models have in common: their arguments, their target, and its recording."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.libraries import load_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.remote.wire.messages import Open
    from lstmtui.scenario import Scenario
    from lstmtui.trace import Trace, Traces


def add_target(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """`TARGET`: what is debugged, played, diagnosed or tested against the laws."""
    parser.add_argument(
        "target",
        nargs="?" if optional else None,
        metavar="TARGET",
        help="a scenario .toml, the name of a bundled one, a saved trace, or ssh://[user@]host[:port]/path",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device` and `--dtype`, in place of what the scenario says, and `--trust`."""
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1 or mps, instead of the scenario's device")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float64", "bfloat16", "float16"),
        help="instead of the scenario's dtype",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="allow the scenario to run the Python code that it names (factory = …)",
    )


def trace_or_scenario(arguments: argparse.Namespace) -> Trace | Traces | Scenario:
    """The target: a saved trace, or a scenario that has not run yet.

    Raises:
        UserError: it is neither, or has problems.
    """
    from lstmtui.scenario import find_scenario, load_scenario

    path = find_scenario(arguments.target)
    if path.is_dir():
        from lstmtui.trace import load

        return load(path)
    return load_scenario(path, arguments.trust)


def with_run_arguments(scenario: Scenario, arguments: argparse.Namespace | Open) -> Scenario:
    """The scenario with `--device` and `--dtype` instead of its own."""
    changes = {k: v for k, v in (("device", arguments.device), ("dtype", arguments.dtype)) if v}
    return replace(scenario, run=replace(scenario.run, **changes))


def record_scenario(
    scenario: Scenario, arguments: argparse.Namespace, output: str | Path | None = None
) -> Traces:
    """Run a scenario with progress on stderr; `output`: the trace is written there as it goes.

    What a file with weights leaves open, and how it was taken, is on stderr too.
    """
    load_library("torch")
    from lstmtui.capture.run import run
    from lstmtui.commands.progress import ProgressLine

    progress = ProgressLine()
    for note in (note for model in scenario.models for note in model.notes):
        print(f"note: {printable(note)}", file=sys.stderr)
    try:
        return run(scenario, arguments.device, arguments.dtype, progress, arguments.trust, output)
    finally:
        progress.clear()
