"""What a misspelt word was probably meant to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

LONGEST = 60
"""Longer words, which no name of ours is, are near nothing."""

MOST = 10_000
"""How many words are compared with what was written; it takes some 0.3 s."""


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
    by_folded = {_folded(candidate): candidate for candidate in islice(words, MOST)}
    folded = _folded(word)
    matches = difflib.get_close_matches(folded, by_folded, n=1, cutoff=cutoff)
    return next((by_folded[match] for match in matches if _is_misspelt(folded, match)), "")


def meant_or_all(word: str, words: Iterable[str], prefix: str = "") -> str:
    """ "did you mean X?"; where nothing comes near, "there are X, Y, Z".

    Args:
        word: what was written.
        words: what might be meant.
        prefix: stands before what was probably meant.
    """
    words = list(words)
    meant = closest(word, words)
    return f"did you mean {prefix}{meant}?" if meant else f"there are {', '.join(words)}"


def _is_misspelt(word: str, meant: str) -> bool:
    """Whether a word has few letters too many or too few, or is the beginning of what was meant.

    Of short words those that share some letters in their order may be quite different.
    """
    wrong = (Counter(word) - Counter(meant)).total() + (Counter(meant) - Counter(word)).total()
    return meant.startswith(word) or wrong <= max(2, len(word) // 2)


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")
