"""What is hidden is nowhere on the screen, and comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from keyboard import press
from source_traces import source_trace
from synthetic import synthetic

from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.tui.panels.gradients import _series as gradient_lines
from lstmtui.tui.panels.sequence import overlaid
from lstmtui.tui.panels.time_axis import AxisPlace, TimeAxis
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.theme import Look


@pytest.mark.parametrize("quantity", ["c", "h", "f", "dc", "di"])
async def test_no_panel_gives_a_hidden_number_away(quantity: str, debugger, shown) -> None:
    trace = synthetic("lstm", 40, 3)
    own = trace.values(quantity).copy()
    own[7, 0, 1] = 0.0001234
    trace = Trace(trace.header, {**trace.arrays, f"0/forward/{quantity}": own})
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        for line in (f"watch {quantity}[1] + 0", "goto 7", "unit 1"):
            screen.run_text(line)
        value = float(trace.values(quantity)[7, 0, 1])
        number = UNICODE.number(value)

        async def text() -> str:
            await pilot.pause()
            pages = []
            for key in ("5", "7", "9", "i"):
                await press(pilot, key, *([] if screen.arrangement.zoomed else ["z"]))
                pages.append(shown(pilot))
            return "\n".join(pages)

        assert number in await text()
        screen.run_text(f"hide {quantity}")
        hidden = await text()
        assert number not in hidden
        assert f"{quantity}[1] + 0 = ?" in hidden
        await press(pilot, "y")
        assert screen.message.text == f"{quantity} is hidden; `reveal` shows everything again"
        screen.run_text(f"print {quantity}")
        assert not screen.message.ok
        screen.run_text("reveal")
        assert number in await text()


async def test_the_map_of_a_hidden_quantity_is_blank_and_has_no_scale(debugger) -> None:
    trace = synthetic("lstm", 40, 3)
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        panel = screen.panels[3]
        assert isinstance(panel, TimelinePanel)
        limit = panel.rows[0].limit
        assert limit != 1
        screen.run_text("hide c")
        await pilot.pause()
        assert panel.rows[0].limit == 1
        assert panel.rows[0]._unbound == set(range(panel.page.stop - panel.page.start))
        screen.run_text("reveal")
        await pilot.pause()
        assert panel.rows[0].limit == limit
        assert not panel.rows[0]._unbound


def test_lines_of_what_is_hidden_are_left_out() -> None:
    axis = TimeAxis()
    axis.place = AxisPlace.within(18, 18, 8, 2)
    session = Session(synthetic("lstm", 20, 3, extras={"y": np.ones((20, 1, 1), np.float32)}))
    axis.show(0, replace(session.trace.header, steps=40))
    session.hidden = frozenset({"y", "dc"})
    assert {line.quantity for line in overlaid(session, axis, Look()).lines} == {"x"}
    names = [series.name for series in gradient_lines(session, axis, 16)]
    assert names == ["h"]


@pytest.mark.parametrize(("kind", "is_copy"), [("hidden", True), ("head", False)])
async def test_where_y_is_h_each_is_hidden_with_the_other(kind: str, is_copy: bool, debugger, shown) -> None:
    trace = synthetic("lstm", 20, 1, extras={"y": np.full((20, 1, 1), 0.417, np.float32)})
    trace = Trace(replace(trace.header, output_kind=kind), trace.arrays)
    async with debugger(trace, (120, 40)) as pilot:
        screen = pilot.app.screen
        assert "0.417" in shown(pilot)
        screen.run_text("hide h")
        await pilot.pause()
        assert ("0.417" in shown(pilot)) != is_copy
        assert screen.session.hidden == {"h"}
        assert screen.session.unseen == ({"h", "y"} if is_copy else {"h"})
        screen.session.hidden = frozenset({"y"})
        assert ("h" in screen.session.unseen) == is_copy


async def test_a_hidden_name_of_recorded_code_has_no_value_beside_its_line(debugger, shown) -> None:
    async with debugger(source_trace(), (120, 40)) as pilot:
        screen = pilot.app.screen
        name = screen.session.layer.source.variables[-1].name
        screen.run_text(f"hide {name}")
        await press(pilot, "5", "z")
        assert "?" in shown(pilot)
        assert screen.session.hidden == {name}
