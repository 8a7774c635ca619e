"""`lstmtui scenarios`: the bundled scenarios, one line each."""

from __future__ import annotations

import argparse

from lstmtui.printable import printable

SUMMARY = "list the bundled scenarios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Print name and title of each, in the order of a short course."""
    from lstmtui.scenario import bundled_scenarios, scenario_title

    paths = bundled_scenarios()
    width = max((len(path.stem) for path in paths), default=0)
    for path in paths:
        print(f"{printable(path.stem):{width}}  {scenario_title(path)}")
    return 0
