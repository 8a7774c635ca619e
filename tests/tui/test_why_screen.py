"""What a number is made of on screen: chosen, entered, gone back from, taken out, over the lanes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from keyboard import press, type_text
from source_traces import source_trace
from textual.pilot import Pilot
from torch import nn

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.cells.notation import UNICODE
from lstmtui.trace import Trace
from lstmtui.tui.parts.places import LaneNeed, lane_rows
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.jacobian import JacobianScreen, binned
from lstmtui.tui.screens.why import WhyScreen
from lstmtui.tui.start import Start


def two_layers() -> Trace:
    torch.manual_seed(0)
    module = nn.LSTM(2, 3, num_layers=2, dtype=torch.float64)
    return record(module, torch.randn(9, 1, 2, dtype=torch.float64), loss=lambda out: out[0].sum())


def asked(pilot: Pilot[None]) -> tuple[str, int, int, int]:
    screen = pilot.app.screen
    assert isinstance(screen, WhyScreen)
    place = screen.ledger.asked
    return place.quantity, place.t, place.unit, place.layer


async def until(pilot: Pilot[None], question: tuple[str, int, int, int]) -> None:
    for _ in range(300):
        await pilot.pause(0.02)
        if isinstance(pilot.app.screen, WhyScreen) and asked(pilot) == question:
            return
    pytest.fail(f"{question} was not asked")


@pytest.mark.parametrize("size", [(120, 40), (60, 20)], ids=str)
async def test_the_parts_of_a_memory_are_listed_below_the_lanes(size, debugger, shown) -> None:
    trace = two_layers()
    async with debugger(Start(traces=trace), size) as pilot:
        session = pilot.app.screen.session
        session.select_layer(1)
        session.goto(6)
        await pilot.press("W")
        await until(pilot, ("c", 6, 0, 1))
        text = shown(pilot)
        assert "Why c[0] at t=6" in text
        assert "written at t=6" in text
        assert "▸" in text
        assert "t=6/8" in text  # what is behind it is still seen


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (120, 40)], ids=str)
@pytest.mark.parametrize("opened_by", ["key", "prompt"])
async def test_the_line_above_stays_and_that_below_names_the_keys_of_the_dialog(
    size, opened_by: str, debugger, shown
) -> None:
    async with debugger(Start(traces=two_layers()), size) as pilot:
        pilot.app.screen.session.select_layer(1)
        pilot.app.screen.session.goto(6)
        before = shown(pilot).splitlines()
        if opened_by == "key":
            await pilot.press("W")
        else:
            await press(pilot, ":")
            await type_text(pilot, "why c\n")
        await until(pilot, ("c", 6, 0, 1))
        await pilot.pause()
        lines = shown(pilot).splitlines()
        assert lines[0].split()[0] == before[0].split()[0]
        assert "t=6/8" in lines[0]
        assert lines[-1].split()[:2] == ["↑", "↓"]
        assert "↵ ask about it" in lines[-1]
        box = [line for line in lines if "╭" in line and "Why" in line]
        assert len(box) == 1
        assert any("╰" in line and "↵ asks on  x takes out  esc" in line for line in lines[:-1])
        await pilot.press("enter")
        await until(pilot, ("written c", 6, 0, 1))
        assert "↵ asks on  x takes out  ctrl+o back" in shown(pilot)
        assert "ctrl+o back" in shown(pilot).splitlines()[-1]
        await pilot.press("escape")
        await pilot.pause()
        assert shown(pilot).splitlines()[-1] == before[-1]  # the prompt does not wait under its answer


@pytest.mark.parametrize(("width", "longest"), [(100, 3), (120, 8), (160, 8)])
async def test_bars_give_way_to_parts_that_have_a_line_each(
    width: int, longest: int, debugger, shown
) -> None:
    async with debugger(Start(traces=two_layers()), (width, 40)) as pilot:
        pilot.app.screen.session.select_layer(1)
        pilot.app.screen.session.goto(6)
        await pilot.press("W")
        await until(pilot, ("c", 6, 0, 1))
        await pilot.pause()
        lines = [line.split("│")[-2] for line in shown(pilot).splitlines()[1:-1] if line.count("│") > 1]
        parts = [line for line in lines if "written at t=" in line]
        assert len(parts) == 7
        assert all("→" in line for line in parts)
        assert max(line.count("█") for line in parts) == longest


async def test_the_dialog_stands_over_what_is_beside_the_lanes(debugger) -> None:
    async with debugger(source_trace(), (140, 40)) as pilot:
        for width in (140, 100, 90, 120):
            await pilot.resize_terminal(width, 40)
            await pilot.pause()
            left = pilot.app.screen.panels[5].region.x
            await pilot.press("W")
            for _ in range(100):
                await pilot.pause(0.02)
                if isinstance(pilot.app.screen, WhyScreen):
                    break
            await pilot.pause()
            assert pilot.app.screen.box.region.x == left
            await pilot.press("escape")


async def test_a_part_is_entered_down_to_the_layer_below_and_left_again(debugger) -> None:
    trace = two_layers()
    async with debugger(Start(traces=trace)) as pilot:
        session = pilot.app.screen.session
        session.select_layer(1)
        session.goto(6)
        await pilot.press("W")
        await until(pilot, ("c", 6, 0, 1))
        first = pilot.app.screen.ledger.parts[1]
        await pilot.press("down", "enter")
        await until(pilot, ("written c", first.t, 0, 1))
        assert session.cursor.t == first.t
        await pilot.press("enter")
        await until(pilot, ("i", first.t, 0, 1))
        parts = pilot.app.screen.ledger.parts
        below = next(n for n, p in enumerate(parts) if p.leads_to and p.leads_to.layer == 0)
        await pilot.press(*["down"] * below, "enter")
        lead = parts[below].leads_to
        assert lead is not None
        await until(pilot, ("h", lead.t, lead.unit, 0))
        assert (session.cursor.layer, session.cursor.unit) == (0, lead.unit)
        await pilot.press("ctrl+o")
        await until(pilot, ("i", first.t, 0, 1))
        await pilot.press("ctrl+o")
        await until(pilot, ("written c", first.t, 0, 1))
        await pilot.press("ctrl+o")
        await until(pilot, ("c", 6, 0, 1))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_part_is_taken_out_and_the_model_runs_without_it(debugger, shown) -> None:
    trace = two_layers()
    async with debugger(Start(traces=trace, engine=RerunEngine())) as pilot:
        screen = pilot.app.screen
        screen.session.goto(6)
        await pilot.press("W")
        await until(pilot, ("c", 6, 0, 0))
        part = pilot.app.screen.ledger.parts[1]
        await pilot.press("down", "x")
        for _ in range(300):
            await pilot.pause(0.02)
            if screen.session.what_ifs.edits:
                break
        (edit,) = screen.session.what_ifs.edits
        assert (edit.quantity, edit.start, edit.value) == ("c", part.t, part.without)
        await pilot.pause(0.1)
        assert f"without written at t={part.t}" in shown(pilot)


async def test_an_origin_has_nothing_to_enter(debugger) -> None:
    async with debugger(Start(traces=two_layers())) as pilot:
        pilot.app.screen.run_text("why x[1]")
        await until(pilot, ("x", 0, 1, 0))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WhyScreen)


async def test_a_lane_below_c_shows_what_each_timestep_has_in_it_until_escape(debugger, shown) -> None:
    async with debugger(Start(traces=two_layers())) as pilot:
        screen = pilot.app.screen
        screen.session.goto(6)
        screen.run_text("where c[1]")
        await pilot.pause(0.1)
        row = screen.panels[3].asked
        assert row.display
        assert "c[1]→" in shown(pilot)
        values = row.map._values[:, 0]
        assert values[7] == pytest.approx(row.values(screen.session, screen.session.asked)[7], rel=1e-2)
        screen.run_text("layer 1")
        await pilot.pause(0.1)
        assert not row.display  # it was asked of another layer
        screen.run_text("layer 0")
        await pilot.pause(0.1)
        assert row.display
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert not row.display
        assert screen.session.asked is None


async def test_a_small_screen_has_that_lane_where_it_takes_no_other_ones_place(debugger, shown) -> None:
    gru = record(nn.GRU(2, 3), torch.randn(9, 1, 2))
    async with debugger(Start(traces=gru), (80, 24)) as pilot:
        screen = pilot.app.screen
        on_screen = screen.panels.on_screen()
        screen.run_text("jacobian")
        await pilot.pause(0.1)
        assert "∂h/∂s" in shown(pilot)
        assert screen.panels.on_screen() == on_screen


def test_rows_below_maps_are_left_out_sooner_than_a_lane() -> None:
    needs = {2: LaneNeed(4, 4), 4: LaneNeed(1, 4, below=1), 6: LaneNeed(0)}
    below = []
    for room in range(6, 40):
        rows = lane_rows(needs, room, (2, 4, 6))
        assert rows.keys() == lane_rows({**needs, 4: LaneNeed(1, 4)}, room, (2, 4, 6)).keys()
        assert sum(lane.rows for lane in rows.values()) == room
        below.append(rows[4].below)
    # Of six rows the maps take five with their title; of nine the plot takes three.
    assert below == [0, 1, 1, 0, *[1] * 30]


@pytest.mark.parametrize("size", [(120, 40), (60, 20)], ids=str)
async def test_a_map_shows_how_each_timestep_depends_on_each_other_one(size, debugger, shown) -> None:
    async with debugger(Start(traces=two_layers()), size) as pilot:
        screen = pilot.app.screen
        screen.session.goto(6)
        screen.run_text("jacobian map")
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, JacobianScreen)
        text = " ".join(shown(pilot).replace("│", " ").split())
        assert "for t=0 to t=8: exact" in text
        values = pilot.app.screen.shown.values
        assert f"t=6: {UNICODE.number(values[6, 5])} by s=5" in text
        await pilot.press("tab")
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, JacobianScreen)
        assert pilot.app.screen.shown.by == "c"
        await pilot.press("left", "left")
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, JacobianScreen)
        assert pilot.app.screen.shown.by == "x"
        assert "tab: by h, c" in shown(pilot)
        await pilot.press("escape")
        screen.run_text("jacobian")
        await pilot.pause(0.1)
        assert screen.panels[4].asked.display == (size == (120, 40))  # the other has no room for it


def test_a_map_that_has_no_room_shows_the_largest_of_each_block() -> None:
    values = np.full((5, 5), np.nan)
    values[3, 1], values[4, 0] = 0.5, 0.25
    blocks, down, across = binned(values, 3, 2)
    assert (down, across) == (2, 3)
    assert blocks[1, 0] == 0.5
    assert blocks[2, 0] == 0.25
    assert np.isnan(blocks[0]).all()
