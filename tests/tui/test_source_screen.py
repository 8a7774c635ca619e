"""Recorded code on screen: its lines, its names in maps, and switching to a cell of ours and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from keyboard import step_costs
from source_traces import FIRST_LINE, source_trace
from synthetic import editable, synthetic

from lstmtui.trace import Trace
from lstmtui.trace.source import Raised, Source
from lstmtui.tui.copying import value_in_focus
from lstmtui.tui.panels.gradients import tags_of
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.widgets.columns import ColumnMap

STEP = 3_000
"""Bytes; promised are 4 kB in truecolor."""


def changed(trace: Trace, change: Callable[[Source], Source]) -> Trace:
    """The trace with other facts about its code."""
    (layer,) = trace.layers
    assert layer.source is not None
    layers = (replace(layer, source=change(layer.source)),)
    return editable(Trace(replace(trace.header, layers=layers), {}), dict(trace.arrays))


def mixed() -> Trace:
    """An LSTM, and a layer of recorded code."""
    code, lstm = source_trace(), synthetic("lstm", 12, 6, batch=2)
    arrays = {
        key.replace("0/", "1/", 1) if key.startswith("0/") else key: a for key, a in code.arrays.items()
    }
    layers = (replace(lstm.layers[0], path="rnn"), replace(code.layers[0], path="encoder.cell"))
    return editable(Trace(replace(lstm.header, layers=layers), {}), arrays | dict(lstm.arrays))


def names_shown(screen: DebuggerScreen, number: int = 2) -> list[str]:
    return [row.quantity for row in screen.panels[number].rows if row.display]


def step_text(screen: DebuggerScreen) -> list[str]:
    lines = screen.panels[5].lines
    return [lines.render_line(y).text for y in range(lines.size.height)]


async def test_into_follows_into_what_is_called_and_names_what_runs(debugger, shown) -> None:
    async with debugger(source_trace(), (120, 40)) as pilot:
        screen = pilot.app.screen
        assert "LayerNormLSTM cell" in shown(pilot).splitlines()[0]
        assert names_shown(screen)[:3] == ["f", "i", "o"]
        assert [row.sequential for row in screen.panels[2].rows][:4] == [True, True, True, False]
        assert names_shown(screen, 3) == ["new_c", "new_h"]
        assert names_shown(screen, 4) == ["S"]
        for _ in range(screen.session.cell.stages.index("step") + 3):
            screen.run_text("into")
        await pilot.pause()
        text = shown(pilot)
        assert "Step: unit 0 at t=0  step 2 of 3: " in text
        assert "LayerNormLSTM.forward:29 › relax:42" in text
        assert any(row.startswith("▸ 42   step = 0.5") and "step 2/3" in row for row in step_text(screen))
        assert "step" in names_shown(screen)
        screen.run_text("out")
        await pilot.pause()
        assert any(row.startswith("▸ 29 ") and "u 2/3" in row for row in step_text(screen))


async def test_without_anything_over_time_the_sequence_says_so(debugger, shown) -> None:
    trace = source_trace()
    bare = Trace(trace.header, {key: a for key, a in trace.arrays.items() if key not in ("y", "target")})
    without_arguments = changed(
        bare, lambda source: replace(source, variables=tuple(v for v in source.variables if v.line))
    )
    async with debugger(without_arguments, (120, 40)) as pilot:
        assert "1 Sequence: no x, target or y over time" in shown(pilot)
    async with debugger(trace, (120, 40)) as pilot:
        assert "1 Sequence  A x[0]" in shown(pilot)


async def test_names_that_have_no_room_are_turned_to(debugger, shown) -> None:
    async with debugger(source_trace(), (80, 24)) as pilot:
        screen = pilot.app.screen
        seen = names_shown(screen)
        assert f"Variables: {len(seen)} of 18 names, [ ]" in shown(pilot)
        screen.action_panel(2)
        await pilot.pause()
        for _ in range(5):
            await pilot.press("right_square_bracket")
            seen += names_shown(screen)
        assert set(seen) == set(screen.panels[2].quantities(screen.session))
        await pilot.pause()
        screen.action_zoom()
        await pilot.pause()
        await pilot.resize_terminal(120, 60)
        await pilot.pause()
        assert set(names_shown(screen)) == set(seen)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60)], ids=str)
async def test_the_marked_line_and_its_value_are_in_sight_at_every_size(size, debugger) -> None:
    trace = source_trace()
    async with debugger(trace, size) as pilot:
        screen = pilot.app.screen
        screen.run_text("goto 3")
        for stage in range(len(screen.session.cell.stages)):
            screen.run_text("into")
            (row,) = [row for row in step_text(screen) if row.startswith("▸")]
            assert f"▸ {trace.layers[0].source.stages[stage].line} " in row
        assert any("noise" in row and "not bound" in row for row in step_text(screen))


async def test_only_what_has_the_selected_unit_marks_it(debugger) -> None:
    async with debugger(source_trace(), (120, 40)) as pilot:
        screen = pilot.app.screen
        screen.run_text("unit 9")
        await pilot.pause()
        marked = {
            row.quantity: any("▸" in row.label.render_line(y).text for y in range(row.label.size.height))
            for number in (2, 3, 4)
            for row in screen.panels[number].rows
            if row.display
        }
        assert {name for name, is_marked in marked.items() if is_marked} == {"S", "gates"}
        assert any("S_prev[1,1,0] ← S" in row for row in step_text(screen))


async def test_a_click_on_one_number_goes_to_its_timestep_and_leaves_the_unit(debugger) -> None:
    async with debugger(source_trace(), (120, 60)) as pilot:
        screen = pilot.app.screen
        screen.run_text("unit 3")
        screen.action_panel(2)
        screen.action_zoom()
        await pilot.pause()
        row = next(row for row in screen.panels[2].rows if row.quantity == "energy")
        x, _ = ColumnMap(12, row.map.size.width).cell_of(5)
        await pilot.click(row.map, offset=(x, 0))
        await pilot.click(row.bars, offset=(3, 0))
        assert (screen.session.cursor.t, screen.session.cursor.unit) == (5, 3)


async def test_a_round_that_does_not_bind_a_name_has_a_dot_and_no_bar(debugger, colours) -> None:
    colours("none")
    async with debugger(source_trace(), (120, 60)) as pilot:
        screen = pilot.app.screen
        screen.run_text("goto 3")
        screen.action_panel(2)
        screen.action_zoom()
        await pilot.pause()
        row = next(row for row in screen.panels[2].rows if row.quantity == "noise")
        cells = row.map.render_line(0).text
        places = ColumnMap(12, len(cells))
        assert [cells[places.center_of(t)] == "·" for t in range(12)] == [t % 2 == 1 for t in range(12)]
        assert "0" not in row.bars.render_line(0).text[4:]


async def test_the_cursor_line_says_what_was_raised_there(debugger, shown) -> None:
    trace = source_trace(raised=Raised(0, 7, FIRST_LINE + 16, "ValueError: no such [tick] \x1b[31m"))
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        screen.run_text("goto 7")
        await pilot.pause()
        rows = step_text(screen)
        at = next(at for at, row in enumerate(rows) if row.startswith("▸ 37 "))
        assert rows[at + 1].strip() == "ValueError: no such [tick] ␛[31m"
        screen.run_text("goto 6")
        assert not any("ValueError" in row for row in step_text(screen))


async def test_a_layer_of_code_beside_an_lstm(debugger, shown) -> None:
    async with debugger(mixed(), (120, 40)) as pilot:
        screen = pilot.app.screen
        before = shown(pilot)
        for layer, shown_names in ((1, ["f", "i", "o"]), (0, ["f", "i", "g"])):
            screen.run_text(f"layer {layer}")
            await pilot.pause()
            assert names_shown(screen)[:3] == shown_names
            assert ("LayerNormLSTM  " in shown(pilot).splitlines()[0]) == bool(layer)
            assert ("encoder.cell" in shown(pilot).splitlines()[0]) == bool(layer)
        assert shown(pilot).splitlines()[:-1] == before.splitlines()[:-1]


async def test_without_states_the_other_names_have_their_place(debugger, shown) -> None:
    trace = changed(
        source_trace(), lambda s: replace(s, variables=tuple(replace(v, carried_to=()) for v in s.variables))
    )
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        assert not screen.panels[3].on_screen
        assert not screen.panels[4].on_screen
        plots = sum(screen.panels[number].outer_size.height for number in (1, 6))
        ruler = screen.panels.ruler.outer_size.height
        assert screen.panels[2].outer_size.height == screen.query_one("#lanes").size.height - plots - ruler
        assert "‖∂L/∂energy‖" in shown(pilot)
        for number in (None, 1, 2, 6):
            assert value_in_focus(screen.session, number)[1]


async def test_truths_and_code_without_text_are_shown(debugger, shown) -> None:
    def truths(source: Source) -> Source:
        variables = (replace(v, dtype="bool") if v.name == "best" else v for v in source.variables)
        functions = (replace(f, text="", file="<string>") for f in source.functions)
        return replace(source, variables=tuple(variables), functions=tuple(functions))

    trace = changed(source_trace(), truths)
    key = "0/forward/best"
    trace.arrays[key] = trace.arrays[key] > 1  # type: ignore[index]
    async with debugger(trace, (120, 60), ascii=True) as pilot:
        screen = pilot.app.screen
        assert any("no source text: LayerNormLSTM.forward" in row for row in step_text(screen))
        screen.run_text("back")
        for _ in screen.session.cell.stages:
            screen.run_text("into")
        assert any(row.rstrip().endswith("best      true") for row in step_text(screen))
        screen.action_panel(2)
        screen.action_zoom()
        await pilot.pause()
        row = next(row for row in screen.panels[2].rows if row.quantity == "best")
        assert np.unique(list(row.map.render_line(0).text.strip())).size > 1
        assert shown(pilot).isascii()


def test_each_line_of_a_plot_has_a_letter_of_its_own_that_is_no_mark() -> None:
    assert tags_of(("new_c", "new_h", "S")) == ["c", "h", "S"]
    assert tags_of(("c", "h")) == ["c", "h"]
    assert len(set(tags_of(("v", "v_1", "_0", "h", "h_h")))) == 5
    assert not {"v", "N"} & set(tags_of(("v", "N", "new_N")))


async def test_a_step_of_code_stays_within_the_budget(debugger, capture_driver, colours) -> None:
    colours("truecolor")
    async with debugger(source_trace(steps=300), (120, 40)) as pilot:
        costs = await step_costs(pilot, capture_driver)
        assert 0 < median(costs) <= STEP
