"""Styled text as terminal sequences, with the shortest change from each style to the next.

Sequences are those of ECMA-48 (SGR, CUP, CHA), which xterm, tmux, GNU screen and the Linux console all know;
shorter ones that some of them lack (REP, ECH) are left alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style

_OFF = {
    "1": "22",
    "2": "22",
    "3": "23",
    "4": "24",
    "21": "24",
    "5": "25",
    "6": "25",
    "7": "27",
    "8": "28",
    "9": "29",
    "51": "54",
    "52": "54",
    "53": "55",
}
"""What switches an attribute off; some do so for two."""


_ON_SPACES = frozenset(("4", "5", "6", "7", "9", "21", "51", "52", "53"))
"""The attributes that show on a space."""


class Ink(NamedTuple):
    """What the terminal writes with: the SGR codes of attributes, background and colour."""

    attributes: tuple[str, ...] = ()
    background: str = "49"
    color: str = "39"
    """"" for any: on spaces it is not seen."""

    def shows(self, other: Ink) -> bool:
        """Whether what is to be written with `other` looks the same written with this."""
        if other.color:
            return self == other
        return self.background == other.background and _ON_SPACES.isdisjoint(self.attributes)


PLAIN = Ink()


class Pen:
    """Collects text at places on the screen, knowing the row of the cursor and how the terminal writes."""

    def __init__(self) -> None:
        self._ink = PLAIN
        self._row: int | None = None
        self._parts: list[str] = []

    def write(self, y: int, x: int, text: str, ink: Ink) -> None:
        """Write text at a row and a column, both from 0."""
        # Within a row by its column alone: not by a distance, which would need every character's width.
        self._parts.append(f"\x1b[{x + 1}G" if y == self._row else f"\x1b[{y + 1};{x + 1}H")
        self._row = y
        if not self._ink.shows(ink):
            ink = ink._replace(color=ink.color or self._ink.color)
            self._parts.append(transition(self._ink, ink))
            self._ink = ink
        self._parts.append(text)

    def finish(self) -> str:
        """Everything that was written; the terminal's style is the plain one again."""
        change, self._ink = transition(self._ink, PLAIN), PLAIN
        return "".join((*self._parts, change))


@lru_cache(maxsize=16384)
def transition(before: Ink, after: Ink) -> str:
    """The sequence that changes the ink: what differs, or everything anew, whichever is shorter."""
    off = {_OFF[code] for code in before.attributes if code not in after.attributes}
    codes = [*sorted(off)]
    codes += [code for code in after.attributes if code not in before.attributes or _OFF[code] in off]
    codes += [after.color] if after.color != before.color else []
    codes += [after.background] if after.background != before.background else []
    if not codes:
        return ""
    anew = [
        *after.attributes,
        *(code for code in (after.color, after.background) if code not in ("39", "49")),
    ]
    shorter = min(";".join(codes), ";".join(["0", *anew] if anew else [""]), key=len)
    return f"\x1b[{shorter}m"


@lru_cache(maxsize=16384)
def ink_of(style: Style | None, system: ColorSystem, blank: bool = False) -> Ink:
    """What a style is written with, links and meta data left out.

    Args:
        style: of the text.
        system: how many colours there are.
        blank: the text is spaces, of which only the background and some attributes are seen.
    """
    if style is None:
        return Ink(color="") if blank else PLAIN
    attributes = tuple(filter(None, _codes(style.without_color.update_link(None), system).split(";")))
    background = _codes(Style.from_color(None, style.bgcolor), system) or "49"
    if blank and _ON_SPACES.isdisjoint(attributes):
        return Ink((), background, "")
    return Ink(attributes, background, _codes(Style.from_color(style.color), system) or "39")


def _codes(style: Style, system: ColorSystem) -> str:
    return style.render("\0", color_system=system).split("\0")[0].strip("\x1b[m")
