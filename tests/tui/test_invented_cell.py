"""A cell made up on the spot on screen: its gates in order of evaluation, on the scales of their ranges."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.invented_cells import MINGRU, ODD, invented_cells, recorded

from lstmtui.cells import CELLS
from lstmtui.cells.formula import Operands, equations
from lstmtui.cells.notation import UNICODE
from lstmtui.tui.panels.step import number_lines, step_lines
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.theme import Look, style_for

__all__ = ["invented_cells"]

pytestmark = pytest.mark.usefixtures("invented_cells")


async def test_a_mingru_has_its_two_gates_and_no_cell_state(debugger, shown) -> None:
    async with debugger(recorded(MINGRU)[1], (140, 44)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        rows = [row for row in screen.panels[2].rows if row.display]
        assert [(row.quantity, row.sequential) for row in rows] == [("z", True), ("n", False)]
        assert not screen.panels[3].on_screen
        stages = []
        for _ in MINGRU.stages:
            screen.run_text("into")
            stages.append(screen.session.cell.stages[screen.session.cursor.stage or 0])
        assert stages == ["z", "n", "h"]
        screen.run_text("goto 4")
        await pilot.pause()
        assert "h₄ = (1 − z)·h₃ + z·n" in shown(pilot)


async def test_states_besides_h_and_c_have_their_map(debugger, shown) -> None:
    async with debugger(recorded(ODD)[1], (140, 44)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        assert [row.quantity for row in screen.panels[2].rows if row.display] == ["a", "v", "q"]
        assert screen.panels[3].quantities(screen.session) == ("c", "m")
        assert "Cell state c m" in shown(pilot)


@pytest.mark.parametrize(("name", "states"), [("slstm", ("c", "n", "m")), ("rglru", ("s",))])
async def test_the_maps_and_equations_of_cells_with_states_of_other_kinds(
    name: str, states: tuple[str, ...], debugger, shown
) -> None:
    cell = CELLS[name]
    async with debugger(recorded(cell)[1], (150, 50)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        assert screen.panels[3].quantities(screen.session) == states
        screen.run_text("goto 4")
        screen.run_text("unit 2")
        for _ in cell.stages:
            screen.run_text("into")
            await pilot.pause()
        assert {"slstm": "o·(c₄/n₄)", "rglru": "s₄ = 1"}[name] in shown(pilot)


def test_a_constant_is_written_once_and_with_what_was_set_in_its_place() -> None:
    *_, constant = equations(CELLS["rglru"], Operands(t=4, recorded={"s": np.zeros(1)}))
    written = "".join(text for line in step_lines((constant,), None, UNICODE)[0] for text, _ in line)
    assert written.strip() == "s₄ = 1"
    changed = "".join(text for line in number_lines(constant, UNICODE, is_set=True) for text, _ in line)
    assert changed.strip() == "= 1.00 set to 0"


def test_colours_follow_the_part_that_a_quantity_plays() -> None:
    style_for.cache_clear()
    looks = {name: style_for(name, Look()) for name in ("a", "q", "v", "m", "i", "o", "g", "c")}
    style_for.cache_clear()
    assert [looks[name] for name in "aqvm"] == [looks[name] for name in "iogc"]
