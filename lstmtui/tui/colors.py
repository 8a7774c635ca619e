"""How many colours the terminal has, and why we think so; looked at before Textual is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping

_TRUECOLOR_TERMINALS = ("alacritty", "foot", "wezterm", "xterm-ghostty", "xterm-kitty", "contour", "rio")
"""Terminals that show truecolor wherever their name arrives, also where COLORTERM does not (over ssh)."""


def detect(environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The depth (truecolor, 256, 16 or none) and the reason in words, from TERM and its companions.

    Args:
        environment: the variables to look at; left out: this process's.
    """
    variables = os.environ if environment is None else environment
    if variables.get("NO_COLOR"):
        return "none", "NO_COLOR is set"
    if variables.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor", f"COLORTERM={variables['COLORTERM']}"
    term = variables.get("TERM", "").strip().lower()
    if term.startswith(_TRUECOLOR_TERMINALS):
        return "truecolor", f"TERM={term} is a terminal with truecolor"
    if "256" in term:
        return "256", f"TERM={term} says 256, and COLORTERM does not say more (ssh does not pass it on)"
    if term in ("", "dumb", "unknown"):
        return "none", f"TERM={term or 'unset'}"
    return "16", f"TERM={term} does not say more"
