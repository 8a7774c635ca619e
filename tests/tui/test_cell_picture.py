"""Panel i: the cell as a picture, at every size, lit inside a timestep, in the colours of the maps."""

from __future__ import annotations

import re
from statistics import median

import numpy as np
import pytest
from keyboard import press, step_costs
from source_traces import source_trace
from synthetic import synthetic

from lstmtui.cells import CELLS
from lstmtui.cells.notation import UNICODE
from lstmtui.session.requests import PANELS
from lstmtui.trace import Traces
from lstmtui.tui.panels.cell_picture import BY_SOURCE, CellPicturePanel
from lstmtui.tui.panels.panel_set import PanelSet
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.picture import Piece, Shade, piece_style


def pieces(pilot) -> list[Piece]:
    """Everything that is drawn, in order of reading."""
    panel = pilot.app.screen.panels.of_kind(CellPicturePanel)
    return [piece for key in panel.picture._keys for piece in key]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=str)
async def test_it_is_whole_at_every_size(size, debugger, shown) -> None:
    cells = ("rnn_tanh", "lstm", "lstm_peephole", "gru")
    traces = Traces({cell: synthetic(cell, 20, 6, name=cell, seed=at) for at, cell in enumerate(cells)})
    async with debugger(traces, size) as pilot:
        screen = pilot.app.screen
        await press(pilot, "i")
        for cell, trace in traces.items():
            screen.run_text(f"model {cell}")
            screen.run_text("goto 12")
            await pilot.pause()
            text = shown(pilot)
            assert screen.arrangement.zoomed is None or size[0] < 100
            assert "i Cell: unit 0 at t=12" in text
            assert "part 1" not in text
            for quantity in CELLS[cell].stages:
                assert UNICODE.number(float(trace.values(quantity)[12, 0, 0])) in text, (cell, quantity)
            assert {"h₁₁", "h₁₂"} <= set(re.findall(r"h\d?[₀-₉]+", text)), cell


async def test_it_has_the_place_of_the_equations_until_these_are_asked_for(debugger) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        panels = pilot.app.screen.panels
        assert (panels[5].on_screen, panels[10].on_screen) == (True, False)
        await press(pilot, "i")
        assert (panels[5].on_screen, panels[10].on_screen) == (False, True)
        assert panels[2].on_screen
        assert panels[9].on_screen
        await press(pilot, "5")
        assert (panels[5].on_screen, panels[10].on_screen) == (True, False)


async def test_into_lights_one_equation_after_another(debugger) -> None:
    trace = synthetic("lstm", 20, 6)
    async with debugger(trace, (80, 24)) as pilot:
        await press(pilot, "i", "down")
        drawn = pieces(pilot)
        number = {name: UNICODE.number(float(trace.values(name)[0, 0, 0])) for name in "figo"}
        assert [piece.text for piece in drawn if piece.text in number.values()] == [number["f"]]
        assert [(piece.text, piece.is_bold) for piece in drawn if piece.text in "fi"][:2] == [
            ("f", True),
            ("i", False),
        ]
        assert next(piece.role for piece in drawn if piece.text == "i") == "muted"
        await press(pilot, "down", "down", "down")
        assert {number["f"], number["i"], number["g"]} <= {piece.text for piece in pieces(pilot)}
        assert number["o"] not in {piece.text for piece in pieces(pilot)}


async def test_a_number_has_the_colour_that_its_map_gives_it(debugger) -> None:
    trace = synthetic("lstm", 20, 6)
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        await press(pilot, "i")
        for name, panel in (("f", 2), ("c", 3), ("h", 4)):
            value = float(trace.values(name)[0, 0, 0])
            piece = next(p for p in pieces(pilot) if p.text == UNICODE.number(value) and p.shade)
            row = next(row for row in screen.panels[panel].rows if row.quantity == name)
            assert isinstance(row.map, Heatmap)
            first = next(iter(row.map.render_line(0)))
            assert first.style.color == piece_style(piece, screen.look).bgcolor, name


@pytest.mark.parametrize("depth", ["truecolor", "256", "16", "none"])
def test_what_is_written_on_a_colour_can_be_read(depth) -> None:
    for value in np.linspace(-1, 1, 21):
        style = piece_style(Piece("0.5", "number", Shade(float(value), 1.0, "diverging")), Look(depth))
        if style.bgcolor is not None:
            ink, ground = (sum(color.get_truecolor()) for color in (style.color, style.bgcolor))
            assert abs(ink - ground) > 250


async def test_a_picture_without_room_is_turned_and_follows_the_equation(debugger, shown) -> None:
    async with debugger(synthetic("slstm", 20, 6), (60, 20)) as pilot:
        await press(pilot, "i")
        assert "part 1 of" in shown(pilot)
        await press(pilot, "right_square_bracket")
        assert "part 2 of" in shown(pilot)
        for stage in CELLS["slstm"].stages:
            await press(pilot, "down")
            assert any(piece.is_bold and piece.role != "accent" for piece in pieces(pilot)), stage


async def test_in_ascii_it_is_ascii(debugger, shown) -> None:
    async with debugger(synthetic("gru", 20, 6), (120, 40), ascii=True) as pilot:
        await press(pilot, "i")
        text = shown(pilot)
        assert text.isascii()
        assert "sigm" in text
        assert "-> h[0]" in text


async def test_a_run_by_source_says_why_there_is_no_picture(debugger, shown) -> None:
    async with debugger(source_trace(), (80, 24)) as pilot:
        await press(pilot, "i")
        assert BY_SOURCE[0] in shown(pilot)
        assert "5 Step shows the lines" in shown(pilot)


async def test_a_unit_beyond_the_projection_has_no_h(debugger, shown) -> None:
    async with debugger(synthetic("lstm", 20, 6, proj_size=2), (80, 24)) as pilot:
        pilot.app.screen.run_text("unit 4")
        await press(pilot, "i")
        assert "W_hr" in shown(pilot)
        assert "NaN" not in shown(pilot)


async def test_a_script_jumps_to_a_panel_by_its_key(debugger) -> None:
    assert sorted(panel.key for panel in PanelSet(Look()).values()) == sorted(set(PANELS) - {"all"})
    async with debugger(synthetic("lstm", 20, 6), (80, 24)) as pilot:
        screen = pilot.app.screen
        screen.run_text("panel i")
        assert screen.arrangement.zoomed is screen.panels[10]
        await pilot.pause()
        screen.run_text("panel i")
        assert screen.arrangement.zoomed is screen.panels[10]
        screen.run_text("panel all")
        assert screen.arrangement.zoomed is None
        screen.run_text("panel q")
        assert 'there is no "q"; there are 1, 2, 3, 4' in screen.message.text


async def test_what_another_equation_reads_is_evaluated_with_it(debugger) -> None:
    async with debugger(synthetic("slstm", 20, 6), (200, 60)) as pilot:
        await press(pilot, "i", "down")
        assert next(piece.role for piece in pieces(pilot) if piece.text == "i_pre") == "muted"
        await press(pilot, "down")  # m = max(…, i_pre)
        assert next(piece for piece in pieces(pilot) if piece.text == "i_pre").is_bold


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_a_step_costs_few_bytes(size, debugger, capture_driver) -> None:
    async with debugger(synthetic("lstm", 60, 32), size) as pilot:
        await press(pilot, "i")
        capture_driver.taken()
        assert median(await step_costs(pilot, capture_driver)) < 4_000
