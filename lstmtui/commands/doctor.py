"""`lstmtui doctor`: show what was found on this machine and in this terminal, and why."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator

from lstmtui.libraries import MissingLibrary, load_library
from lstmtui.printable import printable
from lstmtui.version import __version__

SUMMARY = "show which torch, devices, terminal and colours were found"

_VARIABLES = (
    "TERM",
    "COLORTERM",
    "TERM_PROGRAM",
    "LC_TERMINAL",
    "VTE_VERSION",
    "NO_COLOR",
    "CLICOLOR",
    "TEXTUAL_COLOR_SYSTEM",
    "LSTMTUI_DIFFERENCE",
    "TMUX",
    "STY",
    "LC_ALL",
    "LC_CTYPE",
    "LANG",
)
_LEAST_SIZE = (60, 20)
"""Columns and rows that the debugger needs to be of use."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each check."""
    for section in (_packages, _devices, _terminal, _scenarios):
        try:
            for name, state in section():
                print(printable(f"{name:<22} {state}"))
        except ImportError as error:  # the packages that are listed above say why
            print(printable(f"{section.__name__[1:]:<22} could not be looked at: {error}"))
    return 0


def _packages() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    yield "lstmtui", __version__
    from lstmtui.commands.dependencies import dependencies

    missing: dict[str, list[str]] = {}
    for dependency in dependencies():
        if dependency.extra and dependency.installed is None:
            missing.setdefault(dependency.extra, []).append(dependency.name)
        else:
            yield dependency.name, str(dependency)
    for extra, names in missing.items():
        yield f"extra {extra}", f"not installed: {', '.join(names)}; pip install 'lstmtui[{extra}]'"


def _devices() -> Iterator[tuple[str, str]]:
    try:
        load_library("torch")
    except MissingLibrary as error:
        yield "devices", f"none: {error}"
        return
    from lstmtui.capture.devices import found_devices

    yield from found_devices()


def _terminal() -> Iterator[tuple[str, str]]:
    from lstmtui.tui.characters import shows_unicode
    from lstmtui.tui.colors import detect

    yield "terminal", _size()
    for name in _VARIABLES:
        if name in os.environ:
            yield name, os.environ[name]
    yield "ssh", _ssh()
    yield "multiplexer", _multiplexer()
    depth, why = detect()
    yield "colours", f"{depth}, because {why}; --color overrides"
    encoding = (sys.stdout.encoding or "").lower()
    shows, why = shows_unicode()
    if not encoding.startswith("utf"):
        yield "Unicode", f"no, the encoding is {encoding}: use --ascii"
    else:
        yield "Unicode", f"yes, because {why}" if shows else f"no, because {why}: --ascii is chosen"
    yield "clipboard", _clipboard()


def _size() -> str:
    size = shutil.get_terminal_size()
    text = f"{size.columns}×{size.lines}"
    if size.columns < _LEAST_SIZE[0] or size.lines < _LEAST_SIZE[1]:
        text += f", small: {_LEAST_SIZE[0]}×{_LEAST_SIZE[1]} and more is of use"
    return text + ("" if sys.stdout.isatty() else ", but stdout is not one")


def _ssh() -> str:
    """Whether the terminal is at the other end of a link, which passes TERM on and little else."""
    variables = [name for name in ("SSH_CONNECTION", "SSH_TTY") if os.environ.get(name)]
    return f"yes, because {variables[0]} is set; it does not pass COLORTERM on" if variables else "no"


def _multiplexer() -> str:
    term = os.environ.get("TERM", "").lower()
    if os.environ.get("TMUX"):
        return "tmux, because TMUX is set"
    if os.environ.get("STY"):
        return "GNU screen, because STY is set"
    if term.startswith("tmux"):
        return f"tmux, because TERM={term}"
    return f"GNU screen or tmux, because TERM={term}" if term.startswith("screen") else "none"


def _clipboard() -> str:
    """How `y` reaches it; whether it does, no terminal tells."""
    inside = _multiplexer()
    if inside.startswith("tmux"):
        return "OSC 52, if tmux has `set-clipboard on` or `allow-passthrough on`"
    if inside != "none":
        return "OSC 52 in a device control string, which screen hands on"
    return "OSC 52, if the terminal obeys it (most do; Apple's Terminal and VTE before 0.76 do not)"


def _scenarios() -> Iterator[tuple[str, str]]:
    from lstmtui.scenario import bundled_scenarios

    paths = bundled_scenarios()
    yield "bundled scenarios", f"{len(paths)} in {paths[0].parent}" if paths else "none found"
