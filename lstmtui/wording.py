"""How numbers of things, and lists of them, are written in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """ "1 model", "1,200 models"; `noun` is a single one, whose plural ends in s."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def numbered(count: int, noun: str) -> str:
    """ "layers 0 to 3", "layer 0 alone": what may be named by its number, at least one."""
    return f"{noun}s 0 to {count - 1}" if count > 1 else f"{noun} 0 alone"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c": all of them."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def first_of(words: Sequence[str], most: int, count: int | None = None) -> str:
    """ "a, b and 7 more": as many words as `most` says, and how many are left out of `count`, or of all."""
    left_out = (len(words) if count is None else count) - most
    return ", ".join(words[:most]) + (f" and {left_out:,} more" if left_out > 0 else "")


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; the name of its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
