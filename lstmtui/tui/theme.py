"""What colours mean: a role's style at every colour depth, and the Textual themes made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias
from zlib import crc32

from rich.color import Color
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from lstmtui.cells import CELLS
from lstmtui.cells.parts import part_in
from lstmtui.tui import on_light

Depth: TypeAlias = Literal["truecolor", "256", "16", "none"]
Ground: TypeAlias = tuple[bool, tuple[tuple[str, str], ...]]
"""`light` and `colors` of a look."""
GROUNDS = ("background", "surface", "panel")
"""What is behind everything, in a theme of the user's own."""

_DEPTHS: dict[str | None, Depth] = {
    "truecolor": "truecolor",
    "256": "256",
    "standard": "16",
    "windows": "16",
    "16": "16",
}


@dataclass(frozen=True)
class Look:
    """What the terminal can show: how many colours, and whether anything beyond ASCII."""

    depth: Depth = "truecolor"
    ascii: bool = False
    light: bool = False
    """Whether the background is light."""
    colors: tuple[tuple[str, str], ...] = ()
    """The user's own colours: (one of `ROLES` or `GROUNDS`, #rrggbb)."""

    @classmethod
    def detect(cls, color_system: str | None, ascii: bool = False, ground: Ground = (False, ())) -> Look:
        """The look for a Rich console's `color_system`; None and unknown names mean no colour."""
        return cls(_DEPTHS.get(color_system, "none"), ascii, *ground)

    @property
    def half_blocks(self) -> bool:
        """Whether a character can show two colours, one above the other."""
        return not self.ascii and self.depth in ("truecolor", "256")


@dataclass(frozen=True)
class _Paint:
    """One role: its colour at each depth, and its attributes (those of `bare` where colour is missing).

    Of the 16 colours those that can be read on a dark and on a light background.
    """

    hex: str
    cube: int
    ansi: str
    attributes: str = ""
    bare: str = ""


_ROLES = {
    "x": _Paint("#b9c6d3", 251, "default"),
    "h": _Paint("#62b8f5", 75, "cyan", bare="bold"),
    "c": _Paint("#f2ab34", 214, "yellow", bare="bold"),
    "keep": _Paint("#ec8052", 209, "red"),
    "write": _Paint("#45c4a0", 79, "green"),
    "candidate": _Paint("#d891c6", 176, "magenta"),
    "show": _Paint("#e8d75e", 221, "bright_magenta"),
    "gate": _Paint("#ec8052", 209, "red"),
    "y": _Paint("#a09bf2", 141, "bright_blue", bare="bold"),
    "text": _Paint("#d6dae0", 253, "default"),
    "parameter": _Paint("#93a4bd", 109, "cyan", bare="underline"),
    "number": _Paint("#e9ecf1", 255, "default"),
    "sign": _Paint("#8d95a1", 246, "default"),
    "muted": _Paint("#7a828f", 243, "default"),
    "rule": _Paint("#4a515d", 239, "default"),
    "title": _Paint("#f4f6f9", 255, "default", "bold", "bold"),
    "accent": _Paint("#f2ab34", 214, "yellow", "bold", "bold"),
    "key": _Paint("#f2ab34", 214, "yellow", bare="bold"),
    "warning": _Paint("#f5c451", 221, "yellow", "bold", "bold"),
    "error": _Paint("#ff6f91", 204, "bright_red", "bold", "bold"),
    "cursor": _Paint("#ffffff", 231, "default", "bold", "bold"),
    "selected": _Paint("#ffffff", 231, "default", "bold", "bold"),
    "breakpoint": _Paint("#ff6f6f", 203, "bright_red", "bold", "bold"),
    "hit": _Paint("#ffb4a6", 217, "bright_red"),
    "series0": _Paint("#62b8f5", 75, "cyan"),
    "series1": _Paint("#f2ab34", 214, "yellow"),
    "series2": _Paint("#45c4a0", 79, "green"),
    "series3": _Paint("#d891c6", 176, "magenta"),
    "series4": _Paint("#ec8052", 209, "red"),
    "series5": _Paint("#c9ced6", 251, "default"),
    "kept": _Paint("#62b8f5", 75, "cyan", bare="underline"),
    "written": _Paint("#f2ab34", 214, "yellow", bare="underline"),
    "code-keyword": _Paint("#9aa8d6", 146, "bright_blue", bare="bold"),
    "code-string": _Paint("#93ab85", 108, "green"),
    "code-comment": _Paint("#7a828f", 243, "default"),
}
_OF_NAMES = ("series0", "series1", "series2", "series3", "series4", "show", "y")
"""The roles of names that no cell has."""
_OF_PARTS = {"output": "h", "memory": "c", "value": "text"}
"""The roles of the parts that quantities play, where they have another name."""
_QUANTITIES = ("x", "h", "c", "y")
ROLES = tuple(_ROLES)
UNDERLINED = "-underlined"
"""Behind a role: the same, underlined."""


def role_of(name: str) -> str:
    """The role that colours a quantity, by the part it plays in its cell: `df_pre` looks like `f`.

    An unknown name looks like text.
    """
    name = name.removesuffix("_pre")
    for stem in (name, name[1:] if name.startswith("d") else ""):
        if stem in _ROLES:
            return stem
        if part := part_in(stem, tuple(CELLS.values())):
            return _OF_PARTS.get(part, part)
    return "text"


@lru_cache(maxsize=1024)
def quantity_role(name: str) -> str:
    """The role of a quantity of any run: that of its part in a cell of ours, else one that its name decides.

    f_1, an earlier value of f, has that of f.
    """
    stem = re.sub(r"(_pre|_\d+)+$", "", name)
    if stem in _QUANTITIES or part_in(stem, tuple(CELLS.values())):
        return stem
    return _OF_NAMES[crc32(stem.encode()) % len(_OF_NAMES)]


@lru_cache(maxsize=1024)
def style_for(role: str, look: Look) -> Style:
    """The style of a role, or of one with `UNDERLINED` behind it; the same object for equal looks."""
    style = _style(role_of(role.removesuffix(UNDERLINED)), look)
    return style + Style(underline=True) if role.endswith(UNDERLINED) else style


@lru_cache(maxsize=512)
def _style(role: str, look: Look) -> Style:
    paint = _ROLES[role]
    if look.depth == "none":
        return Style.parse(paint.bare or "none")
    return Style.parse(paint.attributes or "none") + Style.from_color(_color(role, paint, look))


def _color(role: str, paint: _Paint, look: Look) -> Color:
    own = dict(look.colors).get(role)
    if own is not None and look.depth != "16":
        return Color.parse(own)  # of 256 colours Rich takes the nearest
    if look.depth == "truecolor":
        return Color.parse(on_light.HEX[paint.hex] if look.light else paint.hex)
    if look.depth == "256":
        return Color.from_ansi(on_light.CUBE[paint.cube] if look.light else paint.cube)
    return Color.parse(on_light.ANSI.get(paint.ansi, paint.ansi) if look.light else paint.ansi)


_DARK = Theme(
    name="lstmtui",
    dark=True,
    primary="#62b8f5",
    secondary="#45c4a0",
    accent="#f2ab34",
    warning="#f5c451",
    error="#ff6f91",
    success="#45c4a0",
    foreground="#d6dae0",
    background="#12151a",
    surface="#161a20",
    panel="#1d222a",
    variables={
        "border": "#62b8f5",
        "border-blurred": "#39414d",
        "footer-background": "#161a20",
        "footer-key-foreground": "#f2ab34",
        "footer-description-foreground": "#a9b1bc",
    },
)
_CUBE = Theme(
    name="lstmtui-256",
    dark=True,
    primary="#5fafff",
    secondary="#5fd7af",
    accent="#ffaf00",
    warning="#ffd75f",
    error="#ff5f87",
    success="#5fd7af",
    foreground="#dadada",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={
        "border": "#5fafff",
        "border-blurred": "#444444",
        "footer-background": "#1c1c1c",
        "footer-key-foreground": "#ffaf00",
        "footer-description-foreground": "#a8a8a8",
    },
)
_ANSI = replace(
    BUILTIN_THEMES["ansi-dark"],
    name="lstmtui-16",
    accent="ansi_yellow",
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "footer-key-foreground": "ansi_yellow",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
    },
)


_ANSI_NAMES = {f"ansi_{name}": f"ansi_{other}" for name, other in on_light.ANSI.items()}


def theme_of(look: Look) -> Theme:
    """The Textual theme that goes with a look."""
    theme = {"truecolor": _DARK, "256": _CUBE}.get(look.depth, _ANSI)
    if look.light:
        theme = _in_other_colors(theme, {**on_light.HEX, **on_light.GROUND, **_ANSI_NAMES})
    if look.depth in ("16", "none"):
        return theme
    own = dict(look.colors)
    fields = {"foreground": "text", **{name: name for name in (*GROUNDS, "accent", "warning", "error")}}
    changes: dict[str, Any] = {field: own[role] for field, role in fields.items() if role in own}
    return replace(theme, name=f"{theme.name}-own", **changes) if changes else theme


def _in_other_colors(theme: Theme, colors: Mapping[str, str]) -> Theme:
    """The light theme that a dark one becomes."""
    changes: dict[str, Any] = {
        name: colors.get(value, value) for name, value in vars(theme).items() if isinstance(value, str)
    }
    changes["variables"] = {name: colors.get(value, value) for name, value in theme.variables.items()}
    return replace(theme, **{**changes, "name": f"{theme.name}-light", "dark": False})
