"""Whatever changes from one frame to the next, the terminal shows the next one, in few bytes."""

from __future__ import annotations

import io
import random

import pytest
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from terminal import Terminal
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from lstmtui.tui.difference import Frame
from lstmtui.tui.pen import PLAIN, Ink, Pen, ink_of, transition

WIDTH, HEIGHT = 30, 6
SYSTEMS = {"truecolor": "truecolor", "256": "256", "standard": "standard", "none": None}
ATTRIBUTES = ("bold", "italic", "underline", "reverse", "strike")


def random_style(chosen: random.Random, system: str) -> Style:
    made = Style.parse(" ".join(a for a in ATTRIBUTES if chosen.random() < 0.2) or "none")
    if system == "none":
        return made
    colors = {
        "truecolor": [Color.parse("#ff8000"), Color.parse("#12151a"), None],
        "256": [Color.from_ansi(233), Color.from_ansi(75), None],
        "standard": [Color.parse("red"), Color.parse("default"), None],
    }[system]
    meta = Style(meta={"offset": (chosen.random(), 0)})
    return made + Style.from_color(chosen.choice(colors), chosen.choice(colors)) + meta


def random_line(chosen: random.Random, system: str, wide: bool) -> list[Segment]:
    """Segments of words, of spaces and, where it is `wide`, of characters of two cells, one line long."""
    segments, room = [], WIDTH
    while room:
        kinds = ("word", "space", "wide") if wide else ("word", "space")
        kind, length = chosen.choice(kinds), min(room, chosen.randint(1, 6))
        text = {"word": chosen.choice("ab▀░") * length, "space": " " * length, "wide": "漢" * (length // 2)}
        made = Segment(text[kind], random_style(chosen, system))
        room -= made.cell_length
        segments.append(made)
    return segments


def frame(lines: list[list[Segment]]) -> LayoutUpdate:
    return LayoutUpdate([[Strip(line)] for line in lines], Region(0, 0, WIDTH, HEIGHT))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("wide", [False, True])
def test_random_frames_are_shown_as_if_drawn_anew(system: str, wide: bool) -> None:
    chosen = random.Random(f"{system} {wide}")
    console = Console(file=io.StringIO(), color_system=SYSTEMS[system], force_terminal=True)  # type: ignore[arg-type]
    shown, terminal = Frame(), Terminal(WIDTH, HEIGHT)
    lines = [random_line(chosen, system, wide) for _ in range(HEIGHT)]
    for _ in range(60):
        for y in range(HEIGHT):
            if chosen.random() < 0.4:
                lines[y] = random_line(chosen, system, wide)
            elif chosen.random() < 0.5 and not wide:
                at = chosen.randrange(len(lines[y]))
                text, style, _ = lines[y][at]
                lines[y][at] = Segment("".join(chosen.choice((c, "z", " ")) for c in text), style)
        update, anew = frame(lines), Terminal(WIDTH, HEIGHT)
        anew.feed(update.render_segments(console))
        terminal.feed(shown.encode(update, console))
        assert terminal.picture == anew.picture
        assert terminal.screen.cursor.attrs == terminal.screen.default_char


def test_a_change_of_ink_names_what_changes_and_nothing_else() -> None:
    bright = Ink(("1",), "48;5;233", "38;5;231")
    assert transition(PLAIN, bright) == "\x1b[1;38;5;231;48;5;233m"
    assert transition(bright, bright) == ""
    assert transition(bright, bright._replace(attributes=())) == "\x1b[22m"
    assert transition(bright, bright._replace(color="38;5;75")) == "\x1b[38;5;75m"
    assert transition(bright, PLAIN) == "\x1b[m"
    assert transition(Ink(("1", "2")), Ink(("2",))) == "\x1b[0;2m"
    assert transition(Ink(("1",), "48;5;233"), Ink(("2",), "48;5;233")) == "\x1b[22;2m"


def test_spaces_take_the_ink_that_is_there() -> None:
    background = Color.from_ansi(233)
    word = ink_of(Style(color="red", bgcolor="color(233)", bold=True), ColorSystem.EIGHT_BIT)
    space = ink_of(Style.from_color(Color.parse("blue"), background), ColorSystem.EIGHT_BIT, True)
    underlined = ink_of(Style(underline=True, bgcolor="color(233)"), ColorSystem.EIGHT_BIT, True)
    assert word.shows(space)
    assert not space.shows(word)
    assert not word.shows(underlined)
    pen = Pen()
    pen.write(0, 0, "a", word)
    pen.write(0, 4, "  ", space)
    pen.write(1, 4, "b", word)
    assert pen.finish() == "\x1b[1;1H\x1b[1;31;48;5;233ma\x1b[5G  \x1b[2;5Hb\x1b[m"
