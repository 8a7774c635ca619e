"""Text as a sequence of character ids."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array


def to_ids(text: str, vocabulary: str | None) -> tuple[Array, str]:
    """The ids of the characters, (T, 1) int64, and the vocabulary whose positions they are.

    Args:
        text: one sequence.
        vocabulary: the characters in the order of their ids; None: those of the text, sorted.

    Raises:
        DataError: the text is empty, or has characters that the vocabulary lacks.
    """
    import numpy as np

    if not text:
        raise DataError("the text is empty")
    codes = _codes(text)
    id_of = np.full(sys.maxunicode + 1, -1, np.int32)
    if vocabulary is None:
        id_of[codes] = 0
        alphabet = np.flatnonzero(id_of == 0)
    else:
        alphabet = _codes(vocabulary)
    id_of[alphabet] = np.arange(len(alphabet))
    ids = id_of[codes]
    unknown = np.flatnonzero(ids < 0)
    if unknown.size:
        at = int(unknown[0])
        wrong = f"character {at} of the text, {shown(text[at])}, is not in the vocabulary"
        others = len(set(codes[unknown].tolist())) - 1
        raise DataError(wrong + (f", nor are {counted(others, 'other')}" if others else ""))
    return ids.astype(np.int64)[:, None], vocabulary or "".join(map(chr, alphabet.tolist()))


def repeated(vocabulary: str) -> str:
    """The first character that a vocabulary holds twice, or an empty string."""
    seen: set[str] = set()
    for character in vocabulary:
        if character in seen:
            return character
        seen.add(character)
    return ""


def _codes(text: str) -> Array:
    import numpy as np

    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
