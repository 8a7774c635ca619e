"""What has the keyboard and what is left: the open prompt and dialogs, also where keys come at once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from keyboard import press, send, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.errors import Cancelled
from lstmtui.trace import Trace
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.opening import OpeningScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.start import Choice, Opening, Progress, Start


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


class Held:
    """A recording that waits to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, progress: Progress) -> Trace:
        while not self.go.wait(0.005):
            progress("LSTM", 1, 2)
        return synthetic()


async def until(pilot: Pilot[None], kind: type) -> None:
    """Wait for a screen of this kind."""
    async with asyncio.timeout(60):
        while not isinstance(pilot.app.screen, kind):
            await settle()


@pytest.mark.parametrize("key", [":", "b", "g", "w"])
async def test_a_click_on_a_panel_leaves_the_keyboard_to_the_open_prompt(key: str, debugger) -> None:
    async with debugger(synthetic(), (100, 30)) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, key)
        begun = screen.command_line.input.value
        await pilot.click("#panel-3")
        await type_text(pilot, "77")
        assert screen.command_line.input.value == f"{begun}77"
        await press(pilot, "escape")
        assert not screen.command_line.is_open
        assert screen.focused is screen.panels[3], "what was clicked meanwhile has the focus afterwards"
        before = screen.session.cursor.t
        await press(pilot, "l")
        assert screen.session.cursor.t == before + 1
        await press(pilot, "ctrl+c")
        assert pilot.app._exit


async def test_ctrl_c_leaves_the_prompt_and_the_focus_is_where_it_was(debugger) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        screen = debugging(pilot)
        await press(pilot, "7", "colon", "x", "ctrl+c")
        assert not screen.command_line.is_open
        assert screen.focused is screen.panels[7]
        assert not pilot.app._exit


async def test_a_terminal_too_small_for_the_prompt_leaves_it_the_keyboard(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, ":goto ")
        await pilot.resize_terminal(1, 1)
        await settle()
        await type_text(pilot, "7\n")
        assert screen.session.cursor.t == 7
        await press(pilot, "tab", "escape", "l")
        assert screen.session.cursor.t == 8


@pytest.mark.parametrize("twice", ["keys", "clicks"])
async def test_what_is_picked_twice_at_once_is_opened_once(twice: str, debugger) -> None:
    work, opened = Held(), []

    def opener(path: Path) -> Opening:
        opened.append(path)
        return Opening("one", work)

    choices = [Choice(Path(name), name) for name in ("one", "two")]
    async with debugger(Start(choices=choices, opener=opener), (80, 24)) as pilot:
        if twice == "keys":
            send(pilot, "\n\n\n")
        else:
            await pilot.click("OptionList", offset=(5, 0), times=2)
        await until(pilot, OpeningScreen)
        await settle()
        assert isinstance(pilot.app.screen, OpeningScreen)
        work.go.set()
        await until(pilot, DebuggerScreen)
        assert len(opened) == 1


async def test_leaving_twice_at_once_leaves_one_screen(debugger) -> None:
    async with debugger(Start(traces=synthetic(), choices=[Choice(Path("a"), "A")]), (80, 24)) as pilot:
        for opens, kind in (("?", HelpScreen), ("p", PickerScreen)):
            await type_text(pilot, opens)
            assert isinstance(pilot.app.screen, kind)
            send(pilot, "\x1b\x1bqq")
            await settle()
            await type_text(pilot, "")
            assert isinstance(pilot.app.screen, DebuggerScreen)
            assert not pilot.app._exit


async def test_help_over_a_recording_stays_when_that_ends(debugger) -> None:
    work = Held()
    async with debugger(Start(opening=Opening("one", work)), (80, 24)) as pilot:
        await until(pilot, OpeningScreen)
        await press(pilot, "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        work.go.set()
        await asyncio.sleep(0.05)
        await settle()
        assert isinstance(pilot.app.screen, HelpScreen)
        await press(pilot, "escape")
        await until(pilot, DebuggerScreen)


async def test_the_app_may_end_while_a_scenario_is_recorded(colours) -> None:
    given_up = threading.Event()

    def work(progress: Progress) -> Trace:
        try:
            return Held()(progress)
        except Cancelled:
            given_up.set()
            raise

    app = LstmtuiApp(Start(opening=Opening("one", work)))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, OpeningScreen)
        app.exit(None, 143)
        await settle()
    assert given_up.wait(5)
    assert app.return_code == 143
    assert app._exception is None


async def test_a_click_on_notes_begins_no_selection_of_text(debugger) -> None:
    async with debugger(synthetic(notes="one paragraph"), (120, 40)) as pilot:
        await settle()
        await pilot.mouse_down("#panel-8 MarkdownParagraph")
        assert debugging(pilot)._select_state is None, "Textual fails where the text is replaced meanwhile"
        assert debugging(pilot).focused is debugging(pilot).panels[8]
