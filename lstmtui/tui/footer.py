"""The line at the bottom: what happened, and the keys worth knowing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from lstmtui.session import Stop
from lstmtui.tui.keys import KEYS, label
from lstmtui.tui.widgets.spans import Spans


def footer_spans(
    message: Stop | None,
    playing: int | None,
    width: int,
    lesson: Sequence[tuple[str, str]] = (),
    *,
    ascii: bool,
) -> Spans:
    """A message if there is one, then as many key hints as fit.

    Args:
        message: what the last verb had to say.
        playing: timesteps per second, or None while paused.
        width: of the line, in cells.
        ascii: name keys in words.
        lesson: (the id of a key, what it does) of those that turn the pages of a lesson, in place of others.
    """
    spans: list[tuple[str, str]] = [(" ", "sign")]
    if playing is not None:
        spans += [(f"▶ playing, {playing} a second", "accent"), ("   ", "sign")]
    if message is not None:
        spans += [(message.text, "text" if message.ok else "warning"), ("   ", "sign")]
    room = width - sum(cell_len(text) for text, _ in spans)
    by_id = {key.id: label(key, ascii=ascii).split()[0] for key in KEYS if key.keys}
    ordinary = [(key.id, key.hint) for key in KEYS if key.hint]
    wanted = (*lesson, *ordinary[-2:]) if lesson else ordinary
    hints = [(by_id[name], hint) for name, hint in wanted if name in by_id]
    for sign, hint in _fitting(hints, room):
        spans += [(sign, "key"), (f" {hint}  ", "muted")]
    return tuple(spans)


def _fitting(hints: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """As many hints as fit; the last two, help and quit, stay to the end."""
    while len(hints) > 2 and sum(cell_len(sign) + len(hint) + 3 for sign, hint in hints) > room:
        del hints[-3]
    return hints
