"""Text for the clipboard of the terminal in front of the user (OSC 52), also through ssh, tmux and screen.

The clipboard is only written, never asked for. Whether it took the text cannot be known: no terminal answers.
OSC 52: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html#h3-Operating-System-Commands
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from lstmtui.errors import UserError
from lstmtui.printable import printable

MOST_BYTES = 74_000
"""Of base64; more than about this xterm and others drop without a word."""

_SCREEN_PIECE = 240
"""Characters; GNU screen passes a device control string of up to 256 or so."""


def clipboard_sequence(text: str, environment: Mapping[str, str] | None = None) -> str:
    """What a terminal is sent so that it copies a text.

    Args:
        text: lines of anything; what a terminal would act on is made visible first.
        environment: the variables that tell of tmux and screen; left out: this process's.

    Raises:
        UserError: the text is too long for terminals to take.
    """
    variables = os.environ if environment is None else environment
    safe = printable(text, lines=True)
    encoded = base64.b64encode(safe.encode("utf-8", "replace")).decode()
    if len(encoded) > MOST_BYTES:
        raise UserError(
            f"{len(safe):,} characters are more than a clipboard is sent; "
            "`export FILE` writes them to a file instead"
        )
    plain = f"\x1b]52;c;{encoded}\a"
    term = variables.get("TERM", "").lower()
    if variables.get("TMUX") or term.startswith("tmux"):
        # By itself for `set-clipboard on`, and wrapped for `allow-passthrough on`.
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if variables.get("STY"):
        return _through_screen(plain)
    # A TERM of screen's without its variable is tmux or screen on the machine that ssh came from.
    return plain + _through_screen(plain) if term.startswith("screen") else plain


def _through_screen(sequence: str) -> str:
    """The text in pieces, which arrive at the terminal as one."""
    starts = range(0, len(sequence), _SCREEN_PIECE)
    return "".join(f"\x1bP{sequence[start : start + _SCREEN_PIECE]}\x1b\\" for start in starts)
