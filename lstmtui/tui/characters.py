"""Whether the terminal shows more than ASCII, as far as the environment tells."""

from __future__ import annotations

import os
from collections.abc import Mapping

_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
"""The first of these that is set decides (POSIX)."""
_SILENT = ("", "c", "posix")
"""Locales that say nothing of the terminal: what ssh often brings, on terminals that show UTF-8."""


def shows_unicode(environment: Mapping[str, str] | None = None) -> tuple[bool, str]:
    """Whether to draw with more than ASCII, and the reason in words.

    Args:
        environment: the variables to look at; left out: this process's.
    """
    variables = os.environ if environment is None else environment
    if variables.get("TERM", "").strip().lower() == "linux":
        return False, "TERM=linux is a console whose font has few characters"
    name = next((name for name in _VARIABLES if variables.get(name)), "")
    if not name:
        return True, "no locale is set, and most terminals show UTF-8; --ascii overrides"
    value = variables[name]
    charset = value.partition(".")[2].partition("@")[0].lower().replace("-", "")
    if charset == "utf8" or (not charset and value.lower() == "utf8"):
        return True, f"{name}={value}"
    if value.lower() in _SILENT:
        return True, f"{name}={value} does not say, and most terminals show UTF-8; --ascii overrides"
    if not charset:
        return True, f"{name}={value} names no character set; --ascii overrides"
    return False, f"{name}={value} is not UTF-8"
