"""Text from files, made safe to show: characters that a terminal would obey become visible signs."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n"}
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def printable(text: str, *, lines: bool = False) -> str:
    """`text` without anything that a terminal would act on.

    Control characters become their control pictures (ESC is ␛), other invisible or direction-changing
    characters become �, and tabs become spaces.

    Args:
        text: anything at all.
        lines: keep line feeds, for text that is shown over several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate({ord(character): _safe(character, lines) for character in set(text)})


def _safe(character: str, lines: bool) -> str:
    if character in _KEPT and lines:
        return character
    if character == "\t":
        return " "
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "␡"
    return "�" if unicodedata.category(character) in _UNSAFE else character
