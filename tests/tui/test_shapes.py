"""Runs of every shape on screen: other cells, one timestep, one unit, thousands of both."""

from __future__ import annotations

from typing import Any

import pytest
from synthetic import synthetic

from lstmtui.trace import Traces
from lstmtui.tui.panels.gradients import GradientPanel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.ruler import Ruler

SHAPES: dict[str, dict[str, Any]] = {
    "one timestep": {"steps": 1},
    "one unit": {"hidden_size": 1},
    "one of everything": {"steps": 1, "hidden_size": 1},
    "a batch of lengths": {"batch": 3, "lengths": (40, 1, 20)},
    "both directions": {"bidirectional": True, "layers": 3},
    "a projection": {"proj_size": 2},
    "1024 units": {"hidden_size": 1024, "steps": 60},
    "20,000 timesteps": {"steps": 20_000, "hidden_size": 3},
    "many channels": {"input_size": 50},
    "no bias, rnn_relu": {"cell": "rnn_relu"},
    "coupled": {"cell": "lstm_coupled"},
    "reset before": {"cell": "gru_reset_before"},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_can_be_walked_at_every_size(shape: str, debugger, shown) -> None:
    trace = synthetic(**SHAPES[shape])
    async with debugger(trace, (60, 20)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        screen.run_text("last")
        screen.run_text("into")
        for action in (
            lambda: screen.action_select("unit", -1),
            lambda: screen.action_select("layer", 1),
            lambda: screen.action_select("direction", 1),
        ):
            action()
        screen.action_select("batch", 1)
        last = screen.session.last_t
        for size in ((60, 20), (120, 40)):
            if pilot.app.size != size:
                await pilot.resize_terminal(*size)
            await pilot.pause()
            assert f"t={screen.session.cursor.t}/{last}" in shown(pilot).splitlines()[0]
        assert screen.session.cursor.unit == trace.layers[0].hidden_size - 1


async def test_panels_fit_the_cell_of_the_selected_model(debugger, shown) -> None:
    names = ("lstm", "gru", "rnn_tanh")
    traces = Traces({name: synthetic(name, name=name, seed=at) for at, name in enumerate(names)})
    async with debugger(traces, (120, 40)) as pilot:
        screen = pilot.app.screen
        assert screen.panels[3].on_screen
        assert {row.quantity for row in screen.panels[2].rows if row.display} == set("figo")
        screen.action_select("model", 1)
        await pilot.pause()
        assert not screen.panels[3].on_screen
        assert [row.quantity for row in screen.panels[2].rows if row.display] == ["r", "z", "n"]
        assert screen.panels[4].size.width > 50
        screen.action_select("model", 1)
        await pilot.pause()
        assert [row.quantity for row in screen.panels[2].rows if row.display] == ["h_pre"]
        assert "No gates" in shown(pilot)
        screen.action_panel(3)
        assert screen.message.text == "no panel 3 here; there are 0, 1, 2, 4, 5, 6, 7, 8, 9, i, v"
        screen.action_select("model", 1)
        await pilot.pause()
        assert screen.panels[3].on_screen


async def test_a_zoomed_panel_that_the_next_model_lacks_gives_its_place_back(debugger, shown) -> None:
    traces = Traces({name: synthetic(name, name=name) for name in ("lstm", "gru")})
    async with debugger(traces, (120, 40)) as pilot:
        screen = pilot.app.screen
        screen.action_panel(3)
        screen.action_zoom()
        await pilot.pause()
        screen.action_select("model", 1)
        await pilot.pause()
        assert [n for n, panel in screen.panels.items() if panel.on_screen] != []


async def test_resizing_and_zooming_keep_the_place(debugger, shown) -> None:
    async with debugger(synthetic(steps=20_000), (120, 40)) as pilot:
        screen = pilot.app.screen
        screen.session.goto(12_345)
        screen.session.select_unit(4)
        screen.session.into()
        before = screen.session.cursor
        for size in ((80, 24), (60, 20), (200, 60), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            page = screen.panels[2].page
            assert page.start <= 12_345 < page.stop
            assert "t=12345/19999" in shown(pilot)
        screen.action_zoom()
        await pilot.pause()
        assert screen.panels[2].page.start <= 12_345 < screen.panels[2].page.stop
        assert screen.session.cursor == before


@pytest.mark.parametrize(
    ("typed", "t", "message"),
    [
        ("17", 17, None),
        ("-1", 39, None),
        ("40", 5, "t=40: this sequence has t=0 to t=39"),
        ("-41", 5, "t=-41: this sequence has t=0 to t=39"),
    ],
)
async def test_goto_takes_a_number_and_refuses_with_the_range(typed: str, t: int, message, debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        pilot.app.screen.session.goto(5)
        screen = pilot.app.screen
        await pilot.press("g", *typed, "enter")
        assert screen.session.cursor.t == t
        assert (screen.message and screen.message.text) == message
        assert screen.command_line.is_open == (message is not None)


async def test_goto_without_a_number_says_so_under_the_prompt(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        await pilot.press("g", "x", "enter")
        screen = pilot.app.screen
        assert screen.command_line.is_open
        said = "".join(screen.command_line.answer.render_line(y).text for y in range(2))
        assert "^" in said
        assert "timestep" in said


async def test_playing_ends_at_the_last_timestep_and_says_so(debugger) -> None:
    async with debugger(synthetic(steps=4), (80, 24)) as pilot:
        screen = pilot.app.screen
        screen.player.level = 5
        screen.action_play()
        for _ in range(40):
            await pilot.pause(0.02)
            if not screen.player.is_playing:
                break
        assert screen.session.cursor.t == 3
        assert screen.message.text == "the end: t=3 is the last timestep"


async def test_a_click_goes_to_its_timestep_and_its_unit(debugger) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), (120, 40)) as pilot:
        screen = pilot.app.screen
        cursor = lambda: screen.session.cursor  # noqa: E731
        await pilot.click(screen.panels[2].rows[0].map, offset=(7, 1))
        assert (cursor().t, cursor().unit) == (7, 2)
        await pilot.click(screen.panels.ruler.query_one(Ruler), offset=(11, 0))
        assert cursor().t == 11
        bars = screen.panels[2].rows[1]
        line = next(line for line, unit in enumerate(bars._units) if unit is not None)
        await pilot.click(bars.query_one(Bars), offset=(5, line))
        assert cursor().unit == bars._units[line]
        await pilot.click(screen.panels[1].query_one(LinePlot), offset=(8 + 20, 1))
        assert cursor().t == 20
        await pilot.click(screen.panels[3].query_one(Heatmap), offset=(3, 0))
        assert cursor().t == 3
        gradients = screen.panels[6]
        assert isinstance(gradients, GradientPanel)
        await pilot.click(gradients.query_one(LinePlot), offset=(8 + 24, 2))
        assert cursor().t == 24


async def test_a_click_past_the_end_of_a_shorter_sequence_goes_to_its_end(debugger) -> None:
    async with debugger(synthetic(steps=30, batch=2, lengths=(30, 6)), (120, 40)) as pilot:
        screen = pilot.app.screen
        screen.action_select("batch", 1)
        await pilot.click(screen.panels[2].rows[0].map, offset=(20, 0))
        assert screen.session.cursor.t == 5
