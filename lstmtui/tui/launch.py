"""Starting the app: the terminal is looked at before Textual is imported, which reads it once."""

from __future__ import annotations

import gc
import os
import sys

from lstmtui.errors import UserError
from lstmtui.tui.colors import detect
from lstmtui.tui.start import Start

COLORS = {"truecolor": "truecolor", "256": "256", "16": "standard"}
"""The values of `--color` that name a depth, and what Textual calls them."""


def launch(start: Start, *, color: str = "auto", ascii: bool = False) -> None:
    """Run the debugger until the user quits.

    Args:
        start: what to show first.
        color: auto, truecolor, 256, 16 or none.
        ascii: nothing but ASCII on screen.

    Raises:
        UserError: standard input or output is not a terminal, or a terminal that cannot be drawn on.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("the debugger needs a terminal; `lstmtui record` works without one")
    if os.environ.get("TERM", "") in ("dumb", ""):
        raise UserError("this terminal (TERM=dumb) cannot be drawn on; `lstmtui record` works without one")
    depth = detect()[0] if color == "auto" else color
    if depth == "none":
        os.environ["NO_COLOR"] = "1"
    else:
        os.environ["TEXTUAL_COLOR_SYSTEM"] = COLORS[depth]
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

    from lstmtui.tui.app import LstmtuiApp

    app = LstmtuiApp(start, ascii=ascii)
    try:
        app.run()
    finally:
        gc.unfreeze()  # what the app froze, see LstmtuiApp.walk
    if app.return_code:
        raise SystemExit(app.return_code)
