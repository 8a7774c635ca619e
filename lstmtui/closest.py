"""What a misspelt word was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 60
"""Longer words, which no name of ours is, are near nothing."""


def closest(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of `words` that `word` is probably a misspelling of, or an empty string.

    Capitals, and whether it has - or _, do not matter.

    Args:
        word: what was written.
        words: what might be meant.
        cutoff: how alike they have to be, 0 to 1, as in `difflib`.
    """
    import difflib

    if len(word) > LONGEST:
        return ""
    by_folded = {_folded(candidate): candidate for candidate in words}
    matches = difflib.get_close_matches(_folded(word), by_folded, n=1, cutoff=cutoff)
    return by_folded[matches[0]] if matches else ""


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")
