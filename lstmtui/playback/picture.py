"""A picture of the screen as a file: the SVG that it is drawn as, or a PNG of that."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePath

from lstmtui.errors import UserError
from lstmtui.libraries import load_library

FONTS = (
    "Fira Code",
    "DejaVu Sans Mono",
    "Liberation Mono",
    "Noto Sans Mono",
    "Ubuntu Mono",
    "Menlo",
    "SF Mono",
    "Consolas",
    "Cascadia Mono",
    "Courier New",
)
"""Fonts whose characters all have one width, those first that have every character we draw."""

_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9">{}</text></svg>'


def picture_file(svg: str, name: str) -> bytes:
    """The bytes of a picture file.

    Args:
        svg: the picture.
        name: of the file; it ends in .svg or .png.

    Raises:
        UserError: it is to be a PNG, and there is no library or no font to draw one with.
    """
    if PurePath(name).suffix.lower() == ".svg":
        return svg.encode()
    load_library("resvg_py")
    if not _draws_text():
        raise UserError("there is no font to draw a PNG with, such as DejaVu Sans Mono; save an .svg")
    return _png(svg)


def _png(svg: str) -> bytes:
    import resvg_py

    families = ", ".join(FONTS)
    # Textual names a font of the web, which is not loaded, and then any monospaced one, which here is none.
    named = svg.replace("Fira Code, monospace", families)
    return bytes(resvg_py.svg_to_bytes(svg_string=named, font_family=FONTS[1]))


@lru_cache(maxsize=1)
def _draws_text() -> bool:
    """Whether there is a font: without one the picture would have no letters, and nothing would say so."""
    style = '<tspan style="font-family: Fira Code, monospace">M</tspan>'
    return _png(_PROBE.format(style)) != _png(_PROBE.format(""))
