"""Starting the app: the terminal is looked at before Textual is imported, which reads it once."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from lstmtui.closest import meant_or_all
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.tui.background import OWN_THEMES, is_light
from lstmtui.tui.characters import shows_unicode
from lstmtui.tui.colors import CANNOT_DRAW, detect

if TYPE_CHECKING:
    from lstmtui.tui.config import Config
    from lstmtui.tui.start import Start
    from lstmtui.tui.theme import Ground

COLORS = {"truecolor": "truecolor", "256": "256", "16": "standard"}
"""The values of `--color` that name a depth, and what Textual calls them."""

INSTEAD = "`lstmtui play --plain TARGET` works without one"


def launch(
    start: Start,
    *,
    color: str = "auto",
    ascii: bool = False,
    config: Config | None = None,
    theme: str | None = None,
    instead: str = INSTEAD,
) -> None:
    """Run the debugger until the user quits.

    Args:
        start: what to show first.
        color: auto, truecolor, 256, 16 or none.
        ascii: nothing but ASCII on screen; also where the terminal shows nothing else.
        config: the user's own themes and keys, where they have been read already.
        theme: one of them, auto, dark or light, in place of the configuration's.
        instead: what to do where there is no terminal.

    Raises:
        UserError: standard input or output is not a terminal, or a terminal that cannot be drawn on.
        SystemExit: the app failed (1), or a signal ended it (128 and its number).
    """
    refuse_what_cannot_be_drawn_on(instead)
    settle_colors(color)
    ground = ground_of(config or user_config(color), theme)

    from lstmtui.tui.app import LstmtuiApp

    app = LstmtuiApp(start, ascii=ascii or not shows_unicode()[0], ground=ground)
    status = None
    try:
        if sys.platform == "win32":  # Textual's driver there restores the console
            app.run()
        else:
            from lstmtui.tui.leaving import leaving_cleanly

            with leaving_cleanly(app) as way_out:
                app.run()
            status = way_out.status
    finally:
        gc.unfreeze()  # what the app froze, see LstmtuiApp.walk
    if status or app.return_code:
        raise SystemExit(status or app.return_code)


def settle_colors(color: str = "auto") -> None:
    """Decide on colours where Textual looks for it, which is when it is imported.

    Args:
        color: auto, truecolor, 256, 16 or none.
    """
    depth = detect()[0] if color == "auto" else color
    if depth == "none":
        os.environ["NO_COLOR"] = "1"
    else:
        os.environ["TEXTUAL_COLOR_SYSTEM"] = COLORS[depth]
        os.environ.pop("NO_COLOR", None)  # Textual would obey it where --color says otherwise
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


def user_config(color: str = "auto") -> Config:
    """The user's configuration, with its keys in place: before anything that draws is imported.

    Args:
        color: as `launch` is given it.

    Raises:
        UserError: it has mistakes; the message says all of them.
    """
    settle_colors(color)
    from lstmtui.tui.config import load_config
    from lstmtui.tui.keys import remap

    config = load_config()
    remap(config.keys)
    return config


def ground_of(config: Config, theme: str | None) -> Ground:
    """Whether a theme is light, and its colours; for `auto` the terminal is asked.

    Raises:
        UserError: there is no such theme.
    """
    name = theme or config.theme
    if name not in (*OWN_THEMES, *config.themes):
        hint = meant_or_all(name, (*OWN_THEMES, *config.themes))
        raise UserError(printable(f"--theme {name}: there is no such theme; {hint}"))
    colors = dict(config.themes.get(name, {}))
    base = colors.pop("base", name)
    if base == "auto":
        return not os.environ.get("NO_COLOR") and is_light(), ()
    return base == "light", tuple(colors.items())


def import_ahead(color: str = "auto") -> None:
    """Begin to import what draws, which takes as long as connecting to another machine does.

    Args:
        color: as `launch` is given it.
    """
    settle_colors(color)
    Thread(target=import_module, args=("lstmtui.tui.app",), daemon=True, name="import-ahead").start()


def refuse_what_cannot_be_drawn_on(instead: str = INSTEAD) -> None:
    """Refuse to start without a terminal, or with one that cannot be drawn on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(f"the debugger needs a terminal; {instead}")
    term = os.environ.get("TERM", "").strip()
    if term.lower() in CANNOT_DRAW:
        terminal = f"TERM={printable(term)}" if term else "TERM is not set"
        raise UserError(f"this terminal ({terminal}) cannot be drawn on; {instead}")
