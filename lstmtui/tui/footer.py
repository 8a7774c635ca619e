"""The line at the bottom: what happened, and the keys worth knowing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from lstmtui.session import Stop
from lstmtui.tui.keys import KEYS, in_words, label
from lstmtui.tui.widgets.status import Part

PROMPT: tuple[tuple[str, str], ...] = (("↵", "run"), ("tab", "complete"), ("↑", "earlier"), ("esc", "leave"))
"""The keys of the prompt, which has all of them while it is open, and what they do."""


def footer_parts(
    message: Stop | None,
    playing: int | None,
    width: int,
    lesson: Sequence[tuple[str, str]] = (),
    about: str = "",
    zoom: str = "",
    *,
    ascii: bool,
) -> list[Part]:
    """A message if there is one, then as many key hints as fit; a click on a hint does what its key does.

    Args:
        message: what the last verb had to say.
        playing: timesteps per second, or None while paused.
        width: of the line, in cells.
        lesson: (the id of a key, what it does) of those that turn the pages of a lesson, in place of others.
        about: sentences of what a panel shows, where there is no message; as many as fit.
        zoom: what the key that zooms does for the panel with the focus; empty: none has it.
        ascii: name keys in words.
    """
    spans: list[tuple[str, str]] = [(" ", "sign")]
    if playing is not None:
        spans += [(f"▶ playing, {playing} a second", "accent"), ("   ", "sign")]
    if message is not None:
        spans += [(message.text, "text" if message.ok else "warning"), ("   ", "sign")]
    by_id = {key.id: (label(key, ascii=ascii).split()[0], key.action) for key in KEYS if key.keys}
    ordinary = [(key.id, key.hint) for key in KEYS if key.hint]
    if lesson:
        ordinary = [*lesson, *ordinary[-2:]]
    elif zoom:
        ordinary = [("zoom", zoom), *(hint for hint in ordinary if hint[0] != "zoom")]
    hints = [(*by_id[name], hint) for name, hint in ordinary if name in by_id]
    if about and message is None and not lesson:
        least = [hints[0], *hints[-2:]]
        room = width - _width(least) - sum(cell_len(text) for text, _ in spans) - 3
        if sentences := _whole_sentences(about, room):
            spans += [(sentences, "muted"), ("   ", "sign")]
            hints = least
    parts: list[Part] = [(tuple(spans), "")]
    for sign, action, hint in _fitting(hints, width - sum(cell_len(text) for text, _ in spans)):
        parts.append((((sign, "key"), (f" {hint}  ", "muted")), action))
    return parts


def only_keys(hints: Sequence[tuple[str, str]], *, ascii: bool) -> list[Part]:
    """The keys of what has all of them now, the prompt or a dialog, and what they do."""
    return [
        (((f" {in_words(sign) if ascii else sign}", "key"), (f" {hint} ", "muted")), "")
        for sign, hint in hints
    ]


def _whole_sentences(about: str, width: int) -> str:
    """As many of the sentences as fit; maybe none."""
    sentences = about.removesuffix(".").split(". ")
    while sentences and cell_len(". ".join(sentences)) + 1 > width:
        sentences.pop()
    return f"{'. '.join(sentences)}." if sentences else ""


def _width(hints: list[tuple[str, str, str]]) -> int:
    return sum(cell_len(sign) + len(hint) + 3 for sign, _, hint in hints)


def _fitting(hints: list[tuple[str, str, str]], room: int) -> list[tuple[str, str, str]]:
    """As many hints as fit; the last two, help and quit, stay longest."""
    while len(hints) > 2 and _width(hints) > room:
        del hints[-3]
    return hints
