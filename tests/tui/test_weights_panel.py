"""Panel v: the weights of every gate, and the gradients by them."""

from __future__ import annotations

import pytest
from keyboard import press
from source_traces import source_trace
from synthetic import synthetic

from lstmtui.trace import Trace
from lstmtui.tui.palette import level_index, palette
from lstmtui.tui.panels.weights import WeightsPanel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.theme import Look


def with_gradients(trace: Trace) -> Trace:
    """The trace with ∂L by its parameters: here a tenth of each."""
    own = {"parameter_gradients/" + name: array / 10 for name, array in trace.parameters.items()}
    return Trace(trace.header, {**trace.arrays, **own})


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=str)
async def test_every_gate_has_its_maps_at_every_size(size, debugger, shown) -> None:
    async with debugger(with_gradients(synthetic("lstm", 20, 6)), size) as pilot:
        await press(pilot, "v")
        text = shown(pilot)
        for symbol in ("W_f", "R_f", "b_f", "W_o", "R_o", "b_o"):
            assert symbol in text
        assert "weights −" in text
        assert "∂L/∂R_f" not in text
        assert "v: gradients" in text
        await press(pilot, "v")
        assert "∂L/∂R_f" in shown(pilot)


async def test_gradients_stand_beside_where_there_is_room(debugger, shown) -> None:
    async with debugger(with_gradients(synthetic("gru", 20, 6)), (120, 40)) as pilot:
        await press(pilot, "v", "z")
        text = shown(pilot)
        assert {"R_n", "∂L/∂R_n", "bh_n", "∂L/∂bh_n"} <= set(text.split())
        assert "weights −" in text
        assert "∂L by weights −" in text


async def test_the_row_of_the_selected_unit_is_marked_and_a_click_selects_one(debugger, shown) -> None:
    async with debugger(synthetic("lstm", 20, 6), (80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        await press(pilot, "v", "u", "u")
        assert shown(pilot).count("2▸") == 4
        panel = screen.panels.of_kind(WeightsPanel)
        line = panel._units.index(4)
        await pilot.click(panel.rows, offset=(10, line))
        await pilot.pause()
        assert screen.session.cursor.unit == 4
        assert shown(pilot).count("4▸") == 4


async def test_a_row_of_many_lines_has_its_number_once(debugger) -> None:
    for hidden, steps in ((1, 0), (2, 1)):
        async with debugger(synthetic("lstm", 20, hidden), (120, 60)) as pilot:
            await press(pilot, "v", *["u"] * steps)
            rows = pilot.app.screen.panels.of_kind(WeightsPanel).rows
            text = "\n".join(rows.render_line(y).text for y in range(rows.size.height))
            assert text.count(f"{hidden - 1}▸") == 4
            assert text.count("▸") > 8


async def test_a_cell_of_the_map_has_the_colour_of_its_weight(debugger) -> None:
    trace = synthetic("lstm", 20, 2, input_size=3)
    async with debugger(trace, (80, 24)) as pilot:
        screen = pilot.app.screen
        await press(pilot, "v")
        panel = screen.panels.of_kind(WeightsPanel)
        _, maps, (limit,) = panel._maps
        weights = trace.parameters["weight_ih_l0"][2:4]  # those of f, the first in order of evaluation
        assert (weights == maps[0].values.T).all()
        colors = palette("diverging", Look()).colors
        levels = level_index(weights, -limit, limit, "diverging", len(colors))
        segments = list(panel.rows.render_line(2))
        first = segments[1 + next(at for at, s in enumerate(segments) if "▸" in s.text)]
        assert (first.style.bgcolor if first.text.isspace() else first.style.color) == colors[levels[0, 0]]


async def test_gates_without_room_are_turned(debugger, shown) -> None:
    async with debugger(synthetic("slstm", 20, 6), (60, 12)) as pilot:
        await press(pilot, "v")
        assert "[ ] turn" in shown(pilot)
        assert "W_o" not in shown(pilot)
        for _ in range(3):
            await press(pilot, "right_square_bracket")
        assert "W_o" in shown(pilot)


async def test_a_step_draws_nothing_of_it(debugger, capture_driver) -> None:
    async with debugger(synthetic("lstm", 20, 6), (80, 24)) as pilot:
        await press(pilot, "v")
        panel = pilot.app.screen.panels.of_kind(WeightsPanel)
        before = list(panel.rows._strips)
        await press(pilot, "right")
        assert all(a is b for a, b in zip(before, panel.rows._strips, strict=True))


async def test_what_is_not_there_is_said(debugger, shown) -> None:
    bare = synthetic("lstm", 20, 6)
    async with debugger(bare, (120, 40)) as pilot:
        await press(pilot, "v", "v")
        assert "∂L by W_f: not in this trace" in shown(pilot)
        await press(pilot, "z")
        assert "R_o" in shown(pilot), "the weights are there"
        assert "∂L by W_f: not in this trace" in shown(pilot)
    async with debugger(source_trace(), (80, 24)) as pilot:
        await press(pilot, "v")
        assert "was recorded by source: there is no map to draw" in shown(pilot)


async def test_in_ascii_it_is_ascii(debugger, shown) -> None:
    async with debugger(with_gradients(synthetic("gru", 20, 6)), (120, 40), ascii=True) as pilot:
        await press(pilot, "v", "z")
        assert shown(pilot).isascii()
        assert "dL/dR_n" in shown(pilot)
