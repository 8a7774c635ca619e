"""A panel tells of itself, and what stands at the head and the foot of the screen can be clicked."""

from __future__ import annotations

import re

import pytest
from source_traces import source_trace
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.help import topic_text
from lstmtui.trace import Traces
from lstmtui.tui.panels.panel_set import PANELS
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.topic import PanelHelpScreen


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def test_every_panel_has_a_section_and_a_line() -> None:
    titles = dict(re.findall(r"^## Panel (\w): (.*)$", topic_text("panels"), re.MULTILINE))
    assert titles.keys() == {kind.KEY or str(kind.NUMBER) for kind in PANELS}
    for kind in PANELS:
        assert kind.HELP
        assert kind.TITLE.startswith(titles[kind.KEY or str(kind.NUMBER)])


async def test_a_question_mark_in_a_panel_opens_its_section_and_again_everything(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        for panel in list(debugging(pilot).panels.values()):
            debugging(pilot).action_panel(panel.NUMBER)
            await pilot.pause()
            footer = shown(pilot).splitlines()[-1]
            assert panel.HELP.partition(". ")[0] in footer
            assert " z zoom" in footer or " z leave" in footer
            await pilot.press("question_mark")
            await pilot.pause()
            assert isinstance(pilot.app.screen, PanelHelpScreen)
            assert f"Panel {panel.key}: " in shown(pilot)
            await pilot.press("question_mark")
            await pilot.pause()
            assert isinstance(pilot.app.screen, HelpScreen)
            await pilot.press("escape")
        await pilot.press("escape", "escape", "escape", "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)


async def test_what_a_panel_shows_gives_way_to_keys_at_the_next_command(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        for keys, hints in (
            (["6"], " How much the loss depends on each state.   z zoom  ? help  q quit"),
            (["right"], " z zoom  → step  ← back"),
            (["z"], " z leave  → step  ← back"),
            (["colon"], " ↵ run  tab complete  ↑ earlier  esc leave"),
            (["escape"], " z leave  → step  ← back"),
            (["escape", "escape"], " → step  ← back"),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            assert shown(pilot).splitlines()[-1].startswith(hints), keys


async def test_what_was_refused_is_not_said_of_the_next_panel(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        debugging(pilot).run_text("goto 999")
        await pilot.pause()
        await pilot.press("9")
        assert "999" not in shown(pilot)
        assert "Numbers of the selected unit." in shown(pilot)


def column_of(shown: str, row: int, text: str) -> int:
    return shown.splitlines()[row].index(text)


async def test_a_click_on_a_hint_does_what_its_key_does(debugger, shown) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        screen = debugging(pilot)
        for hint, check in (
            ("→ step", lambda: screen.session.cursor.t == 1),
            ("↓ into", lambda: screen.session.cursor.stage == 0),
            ("g goto", lambda: screen.command_line.is_open),
        ):
            await pilot.click(offset=(column_of(shown(pilot), -1, hint) + 3, 39))
            await pilot.pause()
            assert check(), hint


async def test_a_click_on_the_header_selects_the_next(debugger, shown) -> None:
    traces = Traces(
        {"a": synthetic(layers=2, batch=2, hidden_size=4, name="a"), "b": synthetic("gru", name="b")}
    )
    async with debugger(traces, (160, 40)) as pilot:
        screen = debugging(pilot)
        for field, check in (
            ("unit 0", lambda c: c.unit == 1),
            ("layer 0", lambda c: c.layer == 1),
            ("batch 0", lambda c: c.batch == 1),
            ("a lstm", lambda c: c.model == "b"),
            ("t=0", lambda c: screen.command_line.input.value == "goto "),
        ):
            await pilot.click(offset=(column_of(shown(pilot), 0, field) + 1, 0))
            await pilot.pause()
            assert check(screen.session.cursor), field


@pytest.mark.parametrize("code", [False, True], ids=["cell", "code"])
async def test_a_click_where_nothing_is_meant_does_nothing(code: bool, debugger) -> None:
    async with debugger(source_trace() if code else synthetic(), (120, 40)) as pilot:
        before = debugging(pilot).session.cursor
        await pilot.click(offset=(0, 0))
        await pilot.click(offset=(119, 39))
        assert debugging(pilot).session.cursor == before
