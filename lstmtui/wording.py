"""How numbers of things, and lists of them, are written in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """ "1 model", "1,200 models"; `noun` is a single one, whose plural ends in s."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def first_of(words: Sequence[str], most: int) -> str:
    """ "a, b and 7 more": as many words as `most` says, and how many are left out."""
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; the name of its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
