"""Whether the terminal's background is light, as far as it tells."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

OWN_THEMES = ("auto", "dark", "light")
"""The themes that are there; auto is the one that goes with the terminal's background."""
PATIENCE = 0.5
"""Seconds for a terminal to answer; almost all do at once, and over a slow link later."""

_QUESTION = "\x1b]11;?\x1b\\\x1b[c"
"""What colour the background is (xterm's OSC 11), and what the terminal is (DA1), which all of them tell."""
_COLOR = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_END = re.compile(rb"\x1b\[\?[0-9;]*c")
_LIGHT = 0.5
"""The share of white from which on a background is light."""


def is_light(environment: Mapping[str, str] | None = None, patience: float = PATIENCE) -> bool:
    """Ask the terminal; one that does not answer is light only where COLORFGBG says so.

    Args:
        environment: the variables to look at; left out: this process's.
        patience: seconds to wait for the answer.
    """
    share = _share_of_white(_answer(patience))
    if share is not None:
        return share > _LIGHT
    variables = os.environ if environment is None else environment
    return variables.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def _share_of_white(answer: bytes) -> float | None:
    """How light the colour of an answer is, 0 to 1; None where it names none."""
    match = _COLOR.search(answer)
    if match is None:
        return None
    red, green, blue = (int(part, 16) / float(16 ** len(part) - 1) for part in match.groups())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _answer(patience: float) -> bytes:
    """What comes from the terminal up to the end of its answer, in time."""
    try:
        import termios
        import tty

        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (ImportError, OSError, ValueError, termios.error):  # Windows, or no terminal
        return b""
    answer, end = b"", monotonic() + patience
    try:
        tty.setraw(number, termios.TCSADRAIN)
        os.write(sys.stdout.fileno(), _QUESTION.encode())
        while not _END.search(answer) and select.select([number], [], [], max(0.0, end - monotonic()))[0]:
            piece = os.read(number, 1024)
            if not piece:
                break
            answer += piece
    except OSError:
        pass
    finally:
        with suppress(termios.error):
            termios.tcsetattr(number, termios.TCSADRAIN, before)
    return answer
