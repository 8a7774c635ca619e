"""`lstmtui record SCENARIO -o DIR`: run a scenario and save the trace of every model."""

from __future__ import annotations

import argparse

from lstmtui.cells.notation import plain
from lstmtui.commands.run_arguments import add_run_arguments, record_scenario
from lstmtui.printable import printable

SUMMARY = "run a scenario and save its trace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The scenario, where to save, and how to run."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario .toml, or the name of a bundled one")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="where to save the trace")
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Record, with progress on stderr if that is a terminal, and print what was saved.

    It is written as it goes: `open DIR --follow` shows it meanwhile, and Ctrl-C leaves nothing behind.
    """
    from lstmtui.scenario import find_scenario, load_scenario

    scenario = load_scenario(find_scenario(arguments.scenario), arguments.trust)
    traces = record_scenario(scenario, arguments, arguments.output)
    for name, trace in traces.items():
        parity = "none" if trace.parity is None else f"{trace.parity:.1e}"
        numbers = f", {trace.header.numbers}" if trace.header.precision else ""
        facts = f"T={trace.steps}, B={trace.batch}, loss {plain(trace.loss)}, parity {parity}{numbers}"
        untrained = f", {trace.header.untrained}" if trace.header.untrained else ""
        print(printable(f"{name}: {facts}{untrained}"))
    print(printable(f"saved to {arguments.output}"))
    return 0
