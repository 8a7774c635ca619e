"""The help on screen: a list that can be searched and run, and the topics of the reference."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic

from lstmtui.help import TOPICS
from lstmtui.session import ScriptError, Session
from lstmtui.session.parse import parse_line
from lstmtui.session.verbs import VERBS
from lstmtui.tui.headless import HeadlessDebugger
from lstmtui.tui.keys import KEYS
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.opening import OpeningScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.screens.topic import TopicScreen
from lstmtui.tui.start import Choice, Opening, Start


def shown_lines(screen: TopicScreen) -> list[str]:
    return ["".join(text for text, _ in line) for line in screen.text._lines]


@pytest.mark.parametrize("size", [(120, 40), (50, 15)])
async def test_a_topic_is_laid_out_in_the_width_there_is_and_scrolls(
    size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(synthetic(), size) as pilot:
        await type_text(pilot, ":help verdicts\n")
        screen = pilot.app.screen
        assert isinstance(screen, TopicScreen)
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


@pytest.mark.parametrize(
    ("word", "topic", "line"),
    [("checkpoints", "models", "From a checkpoint"), ("rcontinue", "verbs", "go back to the previous")],
)
async def test_help_on_a_word_shows_where_a_topic_tells_of_it(
    word: str, topic: str, line: str, debugger, shown
) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        await type_text(pilot, f":help {word}\n")
        await settle()
        assert pilot.app.screen.topic == topic
        assert line in shown(pilot)
        await type_text(pilot, f"/{word[:4]}\n")
        lines = shown_lines(pilot.app.screen)
        assert lines
        assert all(word[:4] in text.casefold() for text in lines)


async def test_a_topic_that_there_is_not_is_said_at_the_prompt_with_the_one_that_was_meant(
    debugger, shown
) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        await type_text(pilot, ":help verdict\n")
        assert isinstance(pilot.app.screen, TopicScreen), "a heading has this word"
        await press(pilot, "escape")
        await type_text(pilot, ":help verdigts\n")
        assert not isinstance(pilot.app.screen, TopicScreen)
        assert 'did you mean "verdicts"?' in shown(pilot).replace("\n", " ")


def test_a_picture_shows_the_topic_until_the_next_command() -> None:
    with HeadlessDebugger(Session(synthetic())) as screen:
        for line, heading in (("help traces", True), ("help", False), ("step", False)):
            command = parse_line(line)
            assert command is not None
            assert screen.run(command).ok
            assert ("Traces" in screen.picture()) == heading, line


def begin() -> Start:
    return Start(
        traces=synthetic("lstm", 30),
        choices=[Choice(Path("other"), "Something [else]", "in another place")],
        opener=lambda path: Opening(path.name, lambda progress: synthetic("gru", 7)),
    )


async def test_everything_can_be_found_and_says_what_it_does(debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await press(pilot, "question_mark")
        screen = pilot.app.screen
        assert isinstance(screen, HelpScreen)
        texts = [entry.text for entry in screen.entries]
        for wanted in (
            *((verb.usage, verb.help) for verb in VERBS.values()),
            *((key.help, key.command) for key in KEYS),
            *((f":help {topic}", summary) for topic, summary in TOPICS.items()),
            ("Panels", "Hidden state"),
            ("Scenarios", "Something [else]", "another place"),
        ):
            assert any(all(part in text for part in wanted) for text in texts), wanted


@pytest.mark.parametrize("opens", ["question_mark", "ctrl+p"])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("ten on", "step 10"),
        ("panel cell state", "panel 3"),
        (":break", "break when "),
        (":set", "set "),
        (":help verd", "help verdicts"),
        (":watch", "watch "),
        ("zoom", "zoom"),
    ],
)
async def test_what_is_found_is_run_or_begun_at_the_prompt(
    opens: str, words: str, line: str, debugger
) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        screen = pilot.app.screen
        await press(pilot, opens)
        await type_text(pilot, ("/" if opens == "question_mark" else "") + words + "\n")
        await settle()
        match line.split(" "):
            case ["step", _]:
                assert screen.session.cursor.t == 10
            case ["panel", _]:
                assert screen.focused is screen.panels[3]
            case ["help", topic]:
                assert pilot.app.screen.topic == topic
            case ["zoom"]:
                assert screen.arrangement.zoomed is not None
            case _:
                assert screen.command_line.is_open
                assert screen.command_line.input.value == line


async def test_a_scenario_is_opened_from_it(debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        before = pilot.app.screen
        await press(pilot, "ctrl+p")
        await type_text(pilot, "scenarios something\n")
        async with asyncio.timeout(60):
            while isinstance(pilot.app.screen, (HelpScreen, OpeningScreen)) or pilot.app.screen is before:
                await settle()
        assert pilot.app.screen.session.trace.steps == 7


async def test_the_choice_moves_over_headings_and_stays_within_the_list(debugger, shown) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await press(pilot, "question_mark")
        screen = pilot.app.screen
        await press(pilot, "up", "k")
        assert "▸ →" in shown(pilot)
        seen = set()
        for _ in range(len(screen.entries) + 30):
            entry = screen._rows[screen.chosen]
            assert not isinstance(entry, str)
            seen.add(id(entry))
            screen.action_scroll(1)
        assert len(seen) == len(screen.entries)
        await press(pilot, "home", "pagedown", "pageup", "end")
        assert screen.chosen == len(screen._rows) - 1
        await press(pilot, "enter")
        assert pilot.app.screen is screen, "this line is only read"
        await type_text(pilot, "/nothing at all has these words\n")
        assert screen.shown == []
        await press(pilot, "down", "enter", "escape")
        assert len(screen.shown) == len(screen.entries)


async def test_over_the_list_of_scenarios_it_is_only_read(debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await press(pilot, "p", "question_mark", "enter")
        assert isinstance(pilot.app.screen, HelpScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, PickerScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert pilot.app.screen.session.cursor.t == 0


def test_a_verb_that_is_run_at_once_needs_no_arguments() -> None:
    for verb in VERBS.values():
        try:
            parse_line(verb.name)
        except ScriptError:
            assert any(word.isupper() for word in verb.usage.replace("|", " ").split()) or "|" in verb.usage
        else:
            assert verb.usage.partition(" ")[2].startswith("[") or verb.usage == verb.name
