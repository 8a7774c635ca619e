"""Lists that words narrow: of scenarios, of everything, of lines; and the previews of scenarios."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.help import topic_of
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.screens.topic import TopicScreen
from lstmtui.tui.start import Choice, Start

TABLE = "# A title\n\n| model | what is *left* |\n|---|---|\n| R = 0.6 | **0.01 %** |\n| R = 0.95 | 21 % |\n"


def picking(notes: str) -> Start:
    """A list of one scenario."""
    return Start(choices=[Choice(Path("a.toml"), "A scenario", "Examples", "a", lambda: notes)])


def page(pilot: Pilot[None], shown: Callable[[Pilot[None]], str]) -> str:
    """What is on screen, without frames."""
    return "".join(line.strip("│| ") + "\n" for line in shown(pilot).splitlines())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=str)
@pytest.mark.parametrize("ascii", [False, True])
async def test_a_preview_shows_a_table_as_a_table(ascii: bool, size, debugger, shown) -> None:
    async with debugger(picking(TABLE), size, ascii=ascii) as pilot:
        await settle()
        assert isinstance(pilot.app.screen, PickerScreen)
        text = page(pilot, shown)
        assert "q quit" in shown(pilot)
        assert shown(pilot).isascii() or not ascii
        if size[1] < 40:
            await press(pilot, *["right_square_bracket"] * 3)
            text += page(pilot, shown)
        assert "A title" in text
        for raw in ("|---", "**", "*left*", "# A", "?"):
            assert raw not in text
        rows = [line.split() for line in text.splitlines()]
        assert any(row[-5:] == ["model", "what", "is", "left"][-5:] for row in rows)
        assert any(row[-5:] == ["R", "=", "0.6", "0.01", "%"] for row in rows)


@pytest.mark.parametrize("nasty", ["> " * 900 + "x", "- " * 900, "[" * 3000, "|" * 3000, "\x1b[31m`" * 300])
async def test_a_preview_of_any_text_is_drawn(nasty: str, debugger, shown) -> None:
    async with debugger(picking(nasty), (80, 24)) as pilot:
        await settle()
        assert "A scenario" in shown(pilot)


@pytest.mark.parametrize("opened", ["list", "palette", "help", "topic"])
async def test_where_nothing_has_the_words_that_is_said(opened: str, debugger, shown) -> None:
    start = picking(TABLE) if opened == "list" else Start(traces=synthetic())
    keys = {"list": "/", "palette": "", "help": "/", "topic": "/"}[opened]
    async with debugger(start, (80, 24)) as pilot:
        if opened == "topic":
            await type_text(pilot, ":help colour\n")
            assert isinstance(pilot.app.screen, TopicScreen)
        elif opened != "list":
            await press(pilot, "ctrl+p" if opened == "palette" else "question_mark")
        await type_text(pilot, keys + "qq[b]zz")
        await settle()
        assert 'nothing matches "qq[b]zz"; Esc shows everything' in shown(pilot)
        await press(pilot, "enter")
        await pilot.click(offset=(12, 4))
        await press(pilot, "escape", "escape")
        await settle()
        assert "nothing matches" not in shown(pilot)


@pytest.mark.parametrize("word", ["color", "colour", "Colours", "colors"])
async def test_colours_are_looked_up_in_either_spelling(word: str, debugger, shown) -> None:
    assert topic_of(word) == "colors"
    async with debugger(synthetic(), (80, 24)) as pilot:
        await press(pilot, "ctrl+p")
        await type_text(pilot, word.lower())
        await settle()
        screen = pilot.app.screen
        assert isinstance(screen, HelpScreen)
        assert "help colors" in screen.shown[0].text
        await press(pilot, "enter")
        await settle()
        assert isinstance(pilot.app.screen, TopicScreen)
        assert "how large a number is" in shown(pilot)
