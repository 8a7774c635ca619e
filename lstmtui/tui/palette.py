"""How values become levels, and how levels become colours and glyphs, at every colour depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.color import Color

from lstmtui.analysis.decimation import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY
from lstmtui.tui import on_light
from lstmtui.tui.theme import Look

T = TypeVar("T")
Kind: TypeAlias = Literal["sequential", "diverging"]

BLANK = 255
"""The level index for no value at all; what is not finite has its mark for a level."""

MARKS = {NAN: "N", POSITIVE_INFINITY: "^", NEGATIVE_INFINITY: "v"}
"""The signs of non-finite values, the same in every widget and at every depth."""

UNBOUND = 248
"""The level index where recorded code did not bind a name: no value either, and never has one been there."""

MIXED = "!"
"""The sign where several kinds of them share a character."""

_SEQUENTIAL_ANCHORS = [
    "#10163a",
    "#14296b",
    "#1a4796",
    "#1d69ae",
    "#2089ba",
    "#37a6bd",
    "#66c0b6",
    "#9bd6ac",
    "#cdeaa8",
    "#eff7b4",
    "#fffddc",
]
_DIVERGING_ANCHORS = [
    "#c3e4ff",
    "#86c5fb",
    "#4a9fe9",
    "#2673bf",
    "#1a4a80",
    "#17304f",
    "#22262d",
    "#4a3216",
    "#7d4f14",
    "#b87118",
    "#e8952b",
    "#fdbb63",
    "#ffe0b0",
]
_TRUECOLOR_LEVELS = {"sequential": 20, "diverging": 21}

# Of the 240 colours that are the same everywhere, by hand: lightness rises by 3 or more a step (CIELAB).
_SEQUENTIAL_256 = (17, 18, 19, 20, 25, 31, 37, 79, 151, 157, 230)
_DIVERGING_256 = (153, 75, 32, 25, 19, 234, 52, 94, 172, 214, 223)

# Colours that can be read on a dark and on a light background; the glyph says how much.
_SEQUENTIAL_16 = ("default", "blue", "cyan", "green", "default")
_DIVERGING_16 = ("cyan", "cyan", "cyan", "default", "red", "red", "red")

_ZERO_ON_LIGHT = "#f6f5f2"

_GLYPHS = {"sequential": " ░▒▓█", "diverging": "≡=- +*#"}
_ASCII_GLYPHS = {"sequential": " .:*#", "diverging": "%=- +*#"}


@dataclass(frozen=True)
class Palette:
    """The levels of one kind of map: a colour each (None: the terminal's own) and, where used, a glyph."""

    colors: tuple[Color | None, ...]
    glyphs: str
    """One glyph per level, or empty where colour alone is enough because its lightness tells the level."""
    marks: dict[int, Color | None]
    """The background of each non-finite mark."""

    @property
    def levels(self) -> int:
        return len(self.colors)


@lru_cache(maxsize=64)
def palette(kind: Kind, look: Look) -> Palette:
    """The palette of a kind of map at a look, colour-blind safe and ordered by lightness."""
    if look.half_blocks:
        return Palette(_fine(kind, look), "", _mark_colors(look))
    glyphs = (_ASCII_GLYPHS if look.ascii else _GLYPHS)[kind]
    if look.depth == "none":
        return Palette((None,) * len(glyphs), glyphs, _mark_colors(look))
    if look.depth == "16":
        names = _SEQUENTIAL_16 if kind == "sequential" else _DIVERGING_16
        other = on_light.ANSI if look.light else {}
        return Palette(
            tuple(Color.parse(other.get(name, name)) for name in names), glyphs, _mark_colors(look)
        )
    fine = _fine(kind, look)
    chosen = np.linspace(0, len(fine) - 1, len(glyphs)).round().astype(int)
    return Palette(tuple(fine[level] for level in chosen), glyphs, _mark_colors(look))


def _fine(kind: Kind, look: Look) -> tuple[Color, ...]:
    """On a light background what is small or near zero is light, as it is dark on a dark one."""
    if look.depth == "256":
        numbers = _SEQUENTIAL_256 if kind == "sequential" else _DIVERGING_256
        return tuple(map(Color.from_ansi, _turned(numbers, 231, kind) if look.light else numbers))
    anchors = _SEQUENTIAL_ANCHORS if kind == "sequential" else _DIVERGING_ANCHORS
    if look.light:
        inner = anchors if kind == "sequential" else [*anchors[:5], "", *anchors[8:]]
        anchors = _turned(inner, _ZERO_ON_LIGHT, kind)
    rgb = np.array([Color.parse(anchor).get_truecolor() for anchor in anchors], float)
    at = np.linspace(0, len(anchors) - 1, _TRUECOLOR_LEVELS[kind])
    mixed = np.stack([np.interp(at, np.arange(len(anchors)), channel) for channel in rgb.T], axis=1)
    return tuple(Color.from_rgb(*(int(v) for v in row)) for row in mixed.round())


def _turned(colors: Sequence[T], zero: T, kind: Kind) -> list[T]:
    """From light to dark in place of from dark to light; diverging, from `zero` on to both sides."""
    if kind == "sequential":
        return [*reversed(colors)]
    middle = len(colors) // 2
    return [*reversed(colors[:middle]), zero, *reversed(colors[middle + 1 :])]


def _mark_colors(look: Look) -> dict[int, Color | None]:
    """Magenta for NaN, white for +inf, violet for −inf: found in neither map."""
    if look.depth == "none":
        return dict.fromkeys(MARKS)
    by_depth = {
        "truecolor": ("#ff2fb3", "#ffffff", "#9a6bff"),
        "256": ("color(199)", "color(231)", "color(99)"),
        "16": ("bright_magenta", "bright_white", "magenta"),
    }[look.depth]
    return {mark: Color.parse(name) for mark, name in zip(MARKS, by_depth, strict=True)}


@lru_cache(maxsize=16)
def sign_colors(look: Look) -> tuple[Color | None, Color | None]:
    """The colours of a negative and of a positive value where one colour must do."""
    colors = palette("diverging", look).colors
    at = max(1, len(colors) // 6)
    return colors[at], colors[-1 - at]


def level_index(
    values: NDArray[np.floating],
    low: float,
    high: float,
    kind: Kind,
    levels: int,
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """The level of every value, of the same shape as `values`.

    Sequential: `low` is level 0 and `high` the last. Diverging: symmetric round zero, to the larger of
    |low| and |high|. Values beyond are clipped. Non-finite values get their own indices, and what `mask`
    says is absent is BLANK.
    """
    values = np.asarray(values, float)
    low, high = (float(b) if np.isfinite(b) else d for b, d in ((low, 0.0), (high, 1.0)))
    if kind == "diverging":
        high = max(abs(low), abs(high))
        low = -high
    if high > low:
        # halved where high − low overflows
        scale = 1.0 if np.isfinite(high - low) else 0.5
        finite = np.clip(np.nan_to_num(values, posinf=high, neginf=low), low, high)
        share = (finite * scale - low * scale) / (high * scale - low * scale)
    else:
        share = np.where(values > high, 1.0, np.where(values < low, 0.0, 0.5 if kind == "diverging" else 0.0))
    index: NDArray[np.uint8] = np.minimum(share * levels, levels - 1).astype(np.uint8)
    index[np.isnan(values)] = NAN
    index[np.isposinf(values)] = POSITIVE_INFINITY
    index[np.isneginf(values)] = NEGATIVE_INFINITY
    if mask is not None:
        index[np.asarray(mask, bool)] = BLANK
    return index
