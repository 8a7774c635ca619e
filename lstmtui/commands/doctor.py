"""`lstmtui doctor`: what was found on this machine and in this terminal, and why."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from lstmtui.printable import printable

SUMMARY = "say what was found: torch, devices, terminal, colours"

_PACKAGES = ("lstmtui", "torch", "numpy", "textual", "rich", "pydantic", "safetensors")
_VARIABLES = (
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "TEXTUAL_COLOR_SYSTEM",
    "SSH_CONNECTION",
    "TMUX",
    "STY",
    "LANG",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each thing that was looked at."""
    for section in (_packages(), _devices(), _terminal(), _scenarios()):
        for name, found in section:
            print(printable(f"{name:<22} {found}"))
    return 0


def _packages() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"


def _devices() -> Iterator[tuple[str, str]]:
    from lstmtui.capture.devices import found_devices

    yield from found_devices()


def _terminal() -> Iterator[tuple[str, str]]:
    size = shutil.get_terminal_size()
    yield (
        "terminal",
        f"{size.columns}×{size.lines}" + ("" if sys.stdout.isatty() else ", but stdout is not one"),
    )
    for name in _VARIABLES:
        if name in os.environ:
            yield name, os.environ[name]
    from lstmtui.tui.colors import detect

    depth, why = detect()
    yield "colours", f"{depth}, because {why}; --color overrides"
    encoding = (sys.stdout.encoding or "").lower()
    unicode = "yes" if encoding.startswith("utf") else f"no, the encoding is {encoding}: use --ascii"
    yield "Unicode", unicode


def _scenarios() -> Iterator[tuple[str, str]]:
    from lstmtui.scenario import bundled_scenarios

    found = bundled_scenarios()
    yield "bundled scenarios", f"{len(found)} in {found[0].parent}" if found else "none found"
