"""How many colours the terminal has, and why we think so; looked at before Textual is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

_TRUECOLOR_TERMS = (
    "alacritty",
    "contour",
    "foot",
    "ghostty",
    "iterm2",
    "kitty",
    "mintty",
    "ms-terminal",
    "rio",
    "wezterm",
    "xterm-ghostty",
    "xterm-kitty",
)
"""Terminals that show truecolor wherever their name arrives, also where COLORTERM does not (over ssh)."""
_TRUECOLOR_PROGRAMS = (
    "contour",
    "ghostty",
    "hyper",
    "iterm.app",
    "iterm2",
    "mintty",
    "rio",
    "tabby",
    "vscode",
    "warpterminal",
    "wezterm",
)
"""The same by TERM_PROGRAM, and by LC_TERMINAL, which ssh passes on as it does the locale."""
_TRUECOLOR_VARIABLES = ("WT_SESSION", "KITTY_WINDOW_ID", "ALACRITTY_WINDOW_ID", "KONSOLE_VERSION")
"""Variables that such terminals set for what runs in them."""
_VTE_WITH_TRUECOLOR = 3600

CANNOT_DRAW = ("", "dumb", "unknown")
"""Values of TERM for what cannot move its cursor."""


def detect(
    environment: Mapping[str, str] | None = None, terminfo: Callable[[str], int | None] | None = None
) -> tuple[str, str]:
    """The depth (truecolor, 256, 16 or none) and the reason in words, from TERM and its companions.

    Args:
        environment: the variables to look at; left out: this process's.
        terminfo: how many colours the system's database gives a TERM, None where it does not know;
            left out: ask it.
    """
    variables = os.environ if environment is None else environment
    term = variables.get("TERM", "").strip().lower()
    if variables.get("NO_COLOR"):
        return "none", "NO_COLOR is set"
    if variables.get("CLICOLOR") == "0":
        return "none", "CLICOLOR=0"
    if term in CANNOT_DRAW:
        return "none", f"TERM={term or 'unset'}"
    return (
        _in_a_multiplexer(variables, term)
        or _truecolor(variables, term)
        or _by_name(variables, term, terminfo or terminfo_colors)
    )


def _in_a_multiplexer(variables: Mapping[str, str], term: str) -> tuple[str, str] | None:
    """What GNU screen and tmux show, whatever variables of the terminal round them say."""
    inside_tmux = bool(variables.get("TMUX")) or term.startswith("tmux")
    if not inside_tmux and (variables.get("STY") or term.startswith("screen")):
        if term.endswith("-direct"):
            return "truecolor", f"TERM={term}"
        if "256" in term:
            return "256", f"TERM={term}: screen shows 256 colours, whatever COLORTERM says"
        return "16", f"TERM={term}: screen shows 16 colours (`term screen-256color` in .screenrc for more)"
    if inside_tmux and not _says_truecolor(variables) and not term.endswith("-direct"):
        if "256" in term:
            return "256", f"TERM={term}: tmux shows 256 colours everywhere, truecolor where COLORTERM says so"
        return "16", f"TERM={term} in tmux (`set -g default-terminal tmux-256color` for more)"
    return None


def _truecolor(variables: Mapping[str, str], term: str) -> tuple[str, str] | None:
    """The first thing that tells of 24 bits."""
    if _says_truecolor(variables):
        return "truecolor", f"COLORTERM={variables['COLORTERM']}"
    if term.endswith("-direct") or term.startswith(_TRUECOLOR_TERMS):
        return "truecolor", f"TERM={term} is a terminal with truecolor"
    for name in ("LC_TERMINAL", "TERM_PROGRAM"):
        if variables.get(name, "").strip().lower() in _TRUECOLOR_PROGRAMS:
            return "truecolor", f"{name}={variables[name]} is a terminal with truecolor"
    vte = variables.get("VTE_VERSION", "")
    if vte.isascii() and vte.isdigit() and int(vte[:9]) >= _VTE_WITH_TRUECOLOR:
        return "truecolor", f"VTE_VERSION={vte} has truecolor"
    for name in _TRUECOLOR_VARIABLES:
        if variables.get(name):
            return "truecolor", f"{name} is set by a terminal with truecolor"
    return None


def _by_name(
    variables: Mapping[str, str], term: str, terminfo: Callable[[str], int | None]
) -> tuple[str, str]:
    if "256" in term:
        return "256", f"TERM={term} says 256, and COLORTERM does not say more (ssh does not pass it on)"
    if term == "linux":
        return "16", "TERM=linux is a console with 16 colours"
    colors = terminfo(term)
    if colors is None or 8 <= colors < 256:
        return "16", f"TERM={term} does not say more"
    if colors < 8:
        return "none", f"TERM={term} has no colours in terminfo"
    return "truecolor" if colors > 0xFFFF else "256", f"TERM={term} has {colors:,} colours in terminfo"


def _says_truecolor(variables: Mapping[str, str]) -> bool:
    return variables.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit")


def terminfo_colors(term: str) -> int | None:
    """How many colours the system's terminfo gives a terminal; None where it has neither."""
    try:
        import curses

        with open(os.devnull) as nowhere:
            curses.setupterm(term, nowhere.fileno())
        return max(0, curses.tigetnum("colors"))
    except Exception:  # no curses, no database, or no such terminal: each with an error of its own
        return None
