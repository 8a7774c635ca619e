"""The diagnosis on panel 0, and the line that says where NaN first appears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
import torch
from made_runs import made
from source_traces import source_trace
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.trace import Trace, Traces
from lstmtui.tui.panels.diagnosis import DiagnosisPanel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.text_lines import TextLines


def spoilt(trace: Trace, key: str, *at: int) -> Trace:
    arrays = dict(trace.arrays)
    arrays[key] = arrays[key].copy()
    arrays[key][at] = np.nan
    return Trace(trace.header, arrays)


def screen_of(pilot: Pilot[None]) -> DebuggerScreen:
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not happen")


async def test_a_healthy_run_has_no_banner(debugger, shown) -> None:
    async with debugger(synthetic()) as pilot:
        assert "first appears" not in shown(pilot)


@pytest.mark.parametrize("steps", [40, 60_000])
async def test_a_bad_value_is_told_until_escape(steps: int, debugger, shown) -> None:
    trace = spoilt(synthetic("gru", steps, 6), "0/forward/r", 37, 0, 3)
    async with debugger(trace) as pilot:
        await until(pilot, lambda: screen_of(pilot).presenter.banner.is_shown)
        await pilot.pause()
        line = shown(pilot).splitlines()[1]
        assert "NaN first appears in layer 0 forward at t=37: r[3] of sequence 0 — :first-bad" in line
        await pilot.press("escape", "right")
        assert "first appears" not in shown(pilot)


async def test_the_banner_names_the_model_and_the_pass(debugger, shown) -> None:
    bad = spoilt(synthetic("gru", name="B"), "0/forward/dh", 7, 0, 3)
    async with debugger(Traces({"A": synthetic(name="A"), "B": bad})) as pilot:
        assert "B: NaN first appears" in shown(pilot)
        assert ":first-bad goes there" in shown(pilot)
        screen_of(pilot).run_text("first-bad")
        await pilot.pause()
        cursor = screen_of(pilot).session.cursor
        assert (cursor.model, cursor.t, cursor.unit) == ("B", 7, 3)


async def test_a_narrow_banner_keeps_the_command_that_goes_there(debugger, shown) -> None:
    trace = spoilt(synthetic("gru", 40, 6), "0/forward/r", 37, 0, 3)
    async with debugger(trace, (60, 20)) as pilot:
        assert shown(pilot).splitlines()[1].rstrip().endswith("… — :first-bad goes there")


@pytest.mark.parametrize(
    ("width", "beginning", "said"),
    [
        (80, "NaN at t=5: my_cell.py:", ""),
        (140, "my_cell.py:", "is NaN at t=5"),
        (400, "my_cell.py:", "; f is "),
    ],
)
async def test_the_banner_says_what_and_when_of_code_at_every_width(
    width: int, beginning: str, said: str, debugger, shown
) -> None:
    async with debugger(spoilt(source_trace(), "0/forward/new_c", 5, 1, 2), (width, 24)) as pilot:
        line = shown(pilot).splitlines()[1]
        assert line.startswith(f" {beginning}")
        assert said in line
        assert ":first-bad goes there" in line


@pytest.mark.parametrize("steps", [40, 60_000])
async def test_first_bad_goes_there_and_takes_the_banner_away(steps: int, debugger, shown) -> None:
    trace = synthetic("gru", steps, 6, layers=2, bidirectional=True, batch=2)
    async with debugger(spoilt(trace, "1/backward/n", 33, 1, 4)) as pilot:
        screen = screen_of(pilot)
        screen.run_text("first-bad")
        await until(pilot, lambda: screen.session.cursor.t == 33)
        await until(pilot, lambda: screen.runner.running is None)
        await pilot.pause()
        cursor = screen.session.cursor
        assert (cursor.layer, cursor.direction, cursor.batch, cursor.unit) == (1, "backward", 1, 4)
        assert not screen.presenter.banner.is_shown
        assert "n[4] of sequence 1" in shown(pilot)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)], ids=str)
async def test_panel_0_says_what_is_wrong_and_what_to_look_at(size: tuple[int, int], debugger, shown) -> None:
    trace = made("rnn_relu", bias_ih_l0=lambda b: b * 0 - 1e6)
    async with debugger(trace, size) as pilot:
        screen = screen_of(pilot)
        assert not screen.panels[0].on_screen
        await pilot.press("0")
        await pilot.pause()
        text = " ".join(shown(pilot).replace("│", " ").split())
        assert "0 Diagnosis of" in text
        assert "h is always 0 in 8 of 8 units" in text
        assert "next: unit 0" in text
        await pilot.press("z")
        await pilot.pause()
        assert not screen.panels[0].on_screen
        assert screen.panels[2].on_screen


async def test_e_leaves_the_panel_and_executes_the_command_of_the_chosen_verdict(debugger) -> None:
    trace = spoilt(made("lstm", bidirectional=True), "0/backward/o", 11, 0, 6)
    async with debugger(trace) as pilot:
        screen = screen_of(pilot)
        await pilot.press("0", "right_square_bracket", "left_square_bracket", "e")
        await pilot.pause()
        cursor = screen.session.cursor
        assert (cursor.direction, cursor.t, cursor.unit) == ("backward", 11, 6)
        assert not screen.panels[0].on_screen


async def test_a_long_run_is_read_off_the_event_loop(debugger, shown) -> None:
    async with debugger(synthetic("gru", 60_000, 6)) as pilot:
        screen = screen_of(pilot)
        screen.run_text("diagnose")
        await until(pilot, lambda: screen.panels[0].on_screen and "nonfinite" in shown(pilot))
        assert screen.runner.running is None


def test_what_is_said_while_there_are_no_verdicts_stays() -> None:
    panel = DiagnosisPanel(Look())
    panel.lines.lay_out(40, 3)
    panel.lines.set_lines([(("reading the whole run", "muted"),)])
    panel.action_choose(1)
    panel.on_text_lines_clicked(TextLines.Clicked(0))
    assert panel.lines.render_line(0).text.rstrip() == "reading the whole run"


async def test_names_from_a_file_cannot_reach_the_terminal_from_here(debugger, shown) -> None:
    trace = synthetic("gru", parity=None)
    arrays = trace.arrays | {"parameters/\x1b[31m[b]evil": np.array([np.nan])}
    async with debugger(spoilt(Trace(trace.header, arrays), "0/forward/h", 3, 0, 0)) as pilot:
        await pilot.press("0")
        await pilot.pause()
        text = shown(pilot)
        assert "\x1b" not in text
        assert "[b]evil" in text


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=str)
async def test_e_goes_to_the_place_and_breaks_once_which_panel_7_shows_at_once(
    size: tuple[int, int], debugger, shown
) -> None:
    def counting(bias: torch.Tensor) -> torch.Tensor:
        return torch.where((torch.arange(32) < 24) & (torch.arange(32) % 8 == 3), 50.0, bias)

    trace = made("lstm", steps=60, bidirectional=True, bias_ih_l0_reverse=counting)
    async with debugger(trace, size) as pilot:
        screen = screen_of(pilot)
        for _ in range(2):
            await pilot.press("0")
            await until(pilot, lambda: screen.panels[0].on_screen)
            while screen.panels[0].verdicts[screen.panels[0].chosen].name != "drift":
                await pilot.press("right_square_bracket")
            await pilot.press("e")
            await pilot.pause()
            cursor = screen.session.cursor
            assert (cursor.layer, cursor.direction, cursor.unit) == (0, "backward", 3)
            assert [point.place for point in screen.session.breakpoints] == ["abs(c[3]) > 8"]
        if screen.panels[7].on_screen:
            lines = [line for line in shown(pilot).splitlines() if "breakpoint 1" not in line]
            assert any("abs(c[3]) > 8" in line for line in lines)
