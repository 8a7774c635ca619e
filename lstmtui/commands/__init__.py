"""The verbs of the command line, one module each, imported when first needed.

A verb module has `SUMMARY` (one line for the list of verbs), `add_arguments(parser)` and
`run(arguments) -> int`, the exit status; what is heavy it imports inside `run`.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Protocol, cast

VERBS = (
    "open",
    "play",
    "record",
    "diagnose",
    "laws",
    "train",
    "check",
    "scenarios",
    "help",
    "doctor",
    "agent",
)
"""Every verb, in the order of `lstmtui --help`; each is a module of this package."""


class Subcommand(Protocol):
    """The contents of a verb module."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and give the exit status."""


def verb(name: str) -> Subcommand:
    """The module of one of :data:`VERBS`."""
    return cast(Subcommand, import_module(f"lstmtui.commands.{name}"))
