"""One time axis: every lane shows the same window of timesteps in the same columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from source_traces import source_trace
from synthetic import synthetic
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from lstmtui.trace import Traces
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.panel_set import LANES
from lstmtui.tui.panels.time_axis import AxisPlace, TimeAxis
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.screens.debugger import DebuggerScreen

SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def lanes(screen: DebuggerScreen) -> list[Lane]:
    """Those that are on screen."""
    panels = [screen.panels[number] for number in LANES]
    return [panel for panel in panels if isinstance(panel, Lane) and panel.on_screen]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_lane_shows_the_same_window_in_the_same_columns(size, debugger, shown) -> None:
    async with debugger(synthetic(steps=300, hidden_size=8), size) as pilot:
        screen = debugging(pilot)
        screen.run_text("goto 37")
        await pilot.pause()
        axis = screen.panels.axis
        assert len(lanes(screen)) >= (5 if size[0] >= 80 else 3)
        page = axis.page
        left = {lane.region.x for lane in lanes(screen)}
        assert left == {0}
        for lane in lanes(screen):
            if isinstance(lane, TimelinePanel):
                for row in (row for row in lane.rows if row.display):
                    assert row.map.region.x == axis.gutter
                    assert row.map.size.width == axis.plot
                    assert row.map._columns == axis.columns
        plots = [lane.plot for lane in lanes(screen) if not isinstance(lane, TimelinePanel)]  # type: ignore[attr-defined]
        for plot in plots:
            assert (plot._plot.gutter, plot._plot.columns) == (axis.gutter, axis.columns)
        assert screen.panels.ruler.ruler.region.x == axis.gutter
        assert screen.panels.ruler.region.y == max(lane.region.bottom for lane in lanes(screen))
        assert page.start <= 37 < page.stop


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("code", [False, True], ids=["cell", "code"])
async def test_the_cursor_stands_in_one_column_of_all_lanes(size, code: bool, debugger, shown) -> None:
    trace = source_trace(steps=300) if code else synthetic(steps=300, hidden_size=8)
    async with debugger(trace, size) as pilot:
        screen = debugging(pilot)
        for t in (0, 29, 140):
            screen.run_text(f"goto {t}")
            await pilot.pause()
            text = shown(pilot).splitlines()
            column = text[screen.panels.ruler.region.y].index("▼")
            heads = [lane.head for lane in lanes(screen) if lane.head.display]
            assert heads
            assert {head.cursor for head in heads} == {column}
        for head in heads:
            assert text[head.region.y][column] in "┼┿" or text[head.region.y][column - 1] not in "─━"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_pages_turn_all_lanes_by_the_same_timesteps_both_ways(size, debugger) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), size) as pilot:
        screen = debugging(pilot)
        screen.run_text("goto 7")
        await pilot.pause()
        page = screen.panels.axis.page
        width, reached = page.stop - page.start, [7]
        for _ in range(20):
            await pilot.press("pagedown")
            reached.append(screen.session.cursor.t)
            if reached[-1] == 299:
                break
        assert {b - a for a, b in pairwise(reached[:-1])} == {width}
        for t in reached[-2::-1]:
            await pilot.press("pageup")
            assert screen.session.cursor.t == t
        await pilot.press("pageup")
        assert screen.session.cursor.t == 0


async def test_zoom_keeps_the_window(debugger) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), (120, 40)) as pilot:
        screen = debugging(pilot)
        screen.run_text("goto 100")
        await pilot.pause()
        page = screen.panels.axis.page
        for number in LANES:
            screen.action_panel(number)
            await pilot.pause()
            screen.action_zoom()
            await pilot.pause()
            assert [n for n, panel in screen.panels.items() if panel.on_screen] == [number]
            assert screen.panels.axis.page == page
            assert screen.panels.ruler.region.bottom == screen.size.height - 1
            screen.action_zoom()
            await pilot.pause()
            assert screen.panels.axis.page == page


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_one_key_shows_the_whole_run_in_every_lane_and_goes_back(size, debugger, shown) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), size) as pilot:
        screen = debugging(pilot)
        screen.run_text("goto 200")
        axis = screen.panels.axis
        page = axis.page
        await pilot.press("f")
        shared = axis.page.per_column
        assert (axis.page.start, axis.page.stop, axis.page.count) == (0, 300, 1)
        assert axis.columns.columns == -(-300 // shared)
        assert shared == -(-300 // axis.place.timesteps)
        assert f"{shared} timesteps a column" in shown(pilot).splitlines()[screen.panels.ruler.region.y]
        assert {lane.head.cursor for lane in lanes(screen) if lane.head.display} == {
            axis.gutter + axis.columns.center_of(200 // shared)
        }
        for lane in lanes(screen):
            if isinstance(lane, TimelinePanel):
                assert {len(row.map._values) for row in lane.rows if row.display} == {axis.columns.columns}
        row = screen.panels[2].rows[0]  # type: ignore[attr-defined]
        await pilot.click(row.map, offset=(axis.columns.edge_of(3), 0))
        assert screen.session.cursor.t == 3 * shared
        screen.run_text("goto 200")
        await pilot.press("f")
        assert axis.page == page


async def test_the_overview_loses_no_extreme(debugger) -> None:
    trace = synthetic(steps=300, hidden_size=4)
    x, norms = trace.values("x"), trace.norms("dh")[:, 0]
    x[123] = 50.0  # type: ignore[index]
    async with debugger(trace, (80, 24)) as pilot:
        screen = debugging(pilot)
        await pilot.press("f")
        (line,) = screen.panels[1].plot._plot.series  # type: ignore[attr-defined]
        assert np.nanmax(line.values.envelope.high) == 50.0
        assert np.nanmin(line.values.envelope.low) == np.min(x)
        gradient = next(s for s in screen.panels[6].plot._plot.series if s.name == "h")  # type: ignore[attr-defined]
        ends = gradient.values.envelope
        assert np.isclose(10 ** np.nanmin(ends.low), norms.min(), rtol=1e-6)
        assert np.isclose(10 ** np.nanmax(ends.high), norms.max(), rtol=1e-6)


async def test_timesteps_a_column_are_doubled_and_halved_up_to_the_whole_run(debugger) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), (80, 24)) as pilot:
        axis, seen = debugging(pilot).panels.axis, []
        for key in ("(", "(", "(", "(", ")", ")", ")", ")"):
            await pilot.press(key)
            seen.append(axis.page.per_column)
        assert seen == [2, 4, 5, 5, 2, 1, 1, 1]
        await pilot.press("(", "pagedown")
        assert debugging(pilot).session.cursor.t == 2 * axis.place.timesteps


async def test_tokens_that_share_a_column_are_shown_where_they_are_the_same(debugger, shown) -> None:
    tokens = np.repeat([0, 1, 0], 100)[:, None]
    tokens[150] = 0
    trace = synthetic(steps=300, labels=("a", "b"), extras={"tokens": tokens})
    async with debugger(trace, (80, 24)) as pilot:
        await pilot.press("f")
        row = shown(pilot).splitlines()[2]
        assert "".join(row.split()[1:]).replace("··", "·") == "a" * 20 + "b" * 10 + "·" + "b" * 9 + "a" * 20


async def test_bands_of_one_kind_are_equally_high(debugger) -> None:
    async with debugger(synthetic(hidden_size=24), (120, 40)) as pilot:
        screen = debugging(pilot)
        heights = [
            row.size.height
            for lane in lanes(screen)
            if isinstance(lane, TimelinePanel)
            for row in lane.rows
            if row.display
        ]
        assert len(heights) == 6
        assert len(set(heights)) == 1


@pytest.mark.parametrize("size", [(60, 20), (80, 24)], ids=str)
async def test_what_has_no_room_is_named_at_the_edge(size, debugger, shown) -> None:
    async with debugger(synthetic(), size) as pilot:
        screen = debugging(pilot)
        await pilot.pause()
        hidden = [panel.key for n, panel in sorted(screen.panels.items()) if n and not panel.on_screen]
        assert len(hidden) > 1
        assert f"{len(hidden)} more: {' '.join(hidden)}" in shown(pilot)


async def test_bars_stand_beside_the_rows_of_their_units(debugger) -> None:
    async with debugger(synthetic(hidden_size=2), (120, 40)) as pilot:
        screen = debugging(pilot)
        await pilot.pause()
        row = screen.panels[2].rows[0]  # type: ignore[attr-defined]
        lines = {unit: row.map.line_of(unit) for unit in range(2)}
        assert {unit: row._units.index(unit) for unit in range(2)} == lines
        numbers = [row.bars.render_line(y).text.split()[-1:] for y in range(row.size.height)]
        assert all(numbers[line] for line in lines.values())
        assert sum(map(bool, numbers)) == 2


async def test_where_units_share_rows_only_the_selected_one_has_a_bar(debugger) -> None:
    traces = Traces({"a": synthetic(hidden_size=64)})
    async with debugger(traces, (120, 40)) as pilot:
        screen = debugging(pilot)
        screen.run_text("unit 40")
        await pilot.pause()
        row = screen.panels[2].rows[0]  # type: ignore[attr-defined]
        assert row.units_per_row > 1
        assert [unit for unit in row._units if unit is not None] == [40]
        line = row._units.index(40)
        assert "▸" in row.label.render_line(line).text
        assert "40" in row.bars.render_line(line).text


async def test_dragging_goes_along_time_and_the_wheel_turns_pages(debugger) -> None:
    async with debugger(synthetic(steps=300, hidden_size=4), (120, 40)) as pilot:
        screen = debugging(pilot)
        axis = screen.panels.axis
        for number in LANES:
            region = screen.panels[number].region
            for t, button, expected in ((20, 1, 20), (9, 1, 9), (15, 0, 9)):
                place = (axis.gutter + t, region.y + 1)
                event = MouseMove(None, *place, 0, 0, button, False, False, False, *place)
                screen._forward_event(event)
                await pilot.pause()
                assert screen.session.cursor.t == expected
            page = axis.page
            for kind, number_of_page in ((MouseScrollDown, page.number + 1), (MouseScrollUp, page.number)):
                screen._forward_event(kind(None, *place, 0, 0, 0, False, False, False, *place))
                await pilot.pause()
                assert axis.page.number == number_of_page
        assert screen.session.cursor.t == 9


@pytest.mark.parametrize("number", [8, 9])
async def test_a_panel_that_scrolls_does_so_from_the_keyboard_and_leaves_the_cursor(number, debugger) -> None:
    notes = "\n\n".join(f"paragraph {k}" for k in range(40))
    async with debugger(synthetic(notes=notes), (120, 40)) as pilot:
        screen = debugging(pilot)
        screen.run_text("goto 5")
        panel = screen.panels[number]
        screen.action_panel(number)
        await pilot.pause()
        if number == 9:
            assert "more rows ↓" in str(panel.border_subtitle)

        def top() -> float:
            return panel.page.scroll_y if number == 8 else panel.lines.top  # type: ignore[attr-defined]

        seen = [top()]
        for key in ("down", "j", "pagedown", "end", "k", "pageup", "home"):
            await pilot.press(key)
            await pilot.pause()
            seen.append(top())
        assert seen[0] < seen[1] < seen[2] < seen[3] <= seen[4]
        assert seen[4] > seen[5] > seen[6] >= seen[7] == 0
        assert (screen.session.cursor.t, screen.session.cursor.stage) == (5, None)
        await pilot.press("escape", "right")
        assert screen.session.cursor.t == 6


async def test_the_equations_keep_their_symbols_at_every_timestep(debugger, shown) -> None:
    async with debugger(synthetic(steps=12, hidden_size=4), (120, 40)) as pilot:
        for t in range(12):
            debugging(pilot).run_text(f"goto {t}")
            await pilot.pause()
            await pilot.pause()
            assert "= f·c" in shown(pilot), t


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_one_equation_has_its_symbols_on_a_small_screen_and_every_lane_its_place(
    size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(synthetic("rnn_tanh", 12, 4), size) as pilot:
        assert "h₀ = tanh(W·x + R·h₋₁ + b)" in shown(pilot)
        assert [panel.NUMBER for panel in lanes(debugging(pilot))] == [1, 2, 4, 6]


def test_the_last_page_is_full_where_no_timestep_is_to_come() -> None:
    axis, header = TimeAxis(), synthetic("rnn_tanh", 101, 2).header
    axis.place = AxisPlace.within(60, 60, 8, 2)
    axis.show(100, header)
    assert axis.page.text == "t 51–100  page 3/3"
    assert axis.cursor_column(100) == 8 + 49
    axis.show(99, header)
    assert axis.page.text == "t 50–99  page 2/3"
    axis.show(100, replace(header, live=400))
    assert axis.page.text == "t 100–100  page 3/3"
