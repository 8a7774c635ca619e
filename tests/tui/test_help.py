"""A topic of the reference on screen."""

from __future__ import annotations

import pytest
from keyboard import press, type_text
from synthetic import synthetic

from lstmtui.help import TOPICS
from lstmtui.session import Session
from lstmtui.session.parse import parse_line
from lstmtui.tui.headless import HeadlessDebugger
from lstmtui.tui.screens.help import HelpScreen, help_lines


def shown_lines(screen: HelpScreen) -> list[str]:
    return ["".join(text for text, _ in line) for line in screen.text._lines]


@pytest.mark.parametrize("size", [(120, 40), (50, 15)])
async def test_a_topic_is_laid_out_in_the_width_there_is_and_scrolls(
    size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(synthetic(), size) as pilot:
        await type_text(pilot, ":help verdicts\n")
        screen = pilot.app.screen
        assert isinstance(screen, HelpScreen)
        lines = shown_lines(screen)
        assert lines[0] == "What is wrong with a run"
        assert screen.text.size.width - 25 < max(map(len, lines)) <= screen.text.size.width
        assert "What is wrong with a run" in shown(pilot)
        await press(pilot, "end")
        assert lines[-1] in shown(pilot)
        await pilot.resize_terminal(size[0] - 8, size[1])
        await pilot.pause()
        assert max(map(len, shown_lines(screen))) <= screen.text.size.width
        await press(pilot, "escape")
        assert pilot.app.screen is not screen


async def test_the_page_of_keys_lists_the_topics(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        text = "\n".join("".join(text for text, _ in line) for line in help_lines(pilot.app.screen.look))
        for topic, summary in TOPICS.items():
            assert f":help {topic}" in text
            assert summary in text


async def test_a_topic_that_there_is_not_is_said_at_the_prompt_with_the_one_that_was_meant(
    debugger, shown
) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        await type_text(pilot, ":help verdict\n")
        assert not isinstance(pilot.app.screen, HelpScreen)
        assert 'did you mean "verdicts"?' in shown(pilot).replace("\n", " ")


def test_a_picture_shows_the_topic_until_the_next_command() -> None:
    with HeadlessDebugger(Session(synthetic())) as screen:
        for line, heading in (("help traces", True), ("help", False), ("step", False)):
            command = parse_line(line)
            assert command is not None
            assert screen.run(command).ok
            assert ("Traces" in screen.picture()) == heading, line
