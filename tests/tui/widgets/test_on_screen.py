from __future__ import annotations

import re

import numpy as np
import pytest
from rich.color import ColorSystem
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from lstmtui.tui.difference import DifferenceApp
from lstmtui.tui.palette import palette
from lstmtui.tui.theme import Look, theme_of
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.line_widget import ColumnClicked
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.tui.widgets.series import Series
from lstmtui.tui.widgets.status import StatusLine

SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "16": ColorSystem.STANDARD}


@pytest.fixture(autouse=True)
def _colours_allowed(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


class Screenful(DifferenceApp):
    """A status line, a map with its ruler, bars and a plot, on 120×40."""

    CSS = "Vertical { border: round $border-blurred; }"

    def __init__(self, look: Look, **options) -> None:
        super().__init__(ansi_color=True if look.depth == "none" else None, **options)
        theme = theme_of(look)
        self.register_theme(theme)
        self.theme = theme.name
        self.console._color_system = SYSTEMS.get(look.depth)
        self.look = look
        self.clicks: list[Message] = []

    def compose(self) -> ComposeResult:
        yield StatusLine(self.look)
        with Vertical():
            yield Heatmap(self.look)
            yield Ruler(self.look)
            yield Bars(self.look)
            yield LinePlot(self.look)

    def show(self, cursor: int) -> None:
        values = np.random.default_rng(0).random((110, 64))
        values[3, 4], values[5, 6], values[7, 8] = np.nan, np.inf, -np.inf
        self.query_one(StatusLine).set_spans([("t=", "muted"), (f"{cursor}/109", "cursor")])
        self.query_one(Heatmap).set_data(values)
        self.query_one(Ruler).set(0, 110, None, cursor, {20, 60}, {40})
        self.query_one(Bars).set_data(values[0], -1, 1, "diverging", selected=2)
        self.query_one(LinePlot).set_series([Series("a", values[:, 0])])

    def on_heatmap_clicked(self, message: Heatmap.Clicked) -> None:
        self.clicks.append(message)

    def on_column_clicked(self, message: ColumnClicked) -> None:
        self.clicks.append(message)


async def written(look: Look, driver) -> str:
    app = Screenful(look, driver_class=driver)
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        app.show(50)
        await pilot.pause()
        return driver.taken()


@pytest.mark.parametrize("look", [Look(), Look("256"), Look("16")], ids=str)
async def test_a_step_of_the_ruler_costs_few_bytes(look: Look, capture_driver):
    app = Screenful(look, driver_class=capture_driver)
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        app.show(50)
        await pilot.pause()
        for cursor in (51, 109, 0):
            capture_driver.taken()
            app.query_one(Ruler).move(cursor)
            await pilot.pause()
            assert 0 < len(capture_driver.taken().encode()) <= 600
        app.query_one(Ruler).set(0, 110, None, 96, range(0, 110, 2), range(1, 110, 2))
        await pilot.pause()
        capture_driver.taken()
        app.query_one(Ruler).move(97)
        await pilot.pause()
        assert 0 < len(capture_driver.taken().encode()) <= 600


async def test_showing_the_same_again_writes_nothing(capture_driver):
    app = Screenful(Look(), driver_class=capture_driver)
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        app.show(50)
        await pilot.pause()
        capture_driver.taken()
        app.show(50)
        await pilot.pause()
        assert capture_driver.taken() == ""


async def test_truecolor_paints_the_theme_behind_everything(capture_driver):
    output = await written(Look(), capture_driver)
    assert "48;2;18;21;26" in output
    assert re.search(r"38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀", output)


async def test_256_colours_pass_as_they_were_chosen(capture_driver):
    output = await written(Look("256"), capture_driver)
    assert ";2;" not in "".join(re.findall(r"\x1b\[([0-9;]+)m", output))
    chosen = {color.number for color in palette("sequential", Look("256")).colors}
    shown = {int(n) for n in re.findall(r"48;5;(\d+)", output)}
    assert chosen <= shown


async def test_16_colours_use_the_terminals_own_palette_and_background(capture_driver):
    output = await written(Look("16"), capture_driver)
    codes = re.findall(r"\x1b\[([0-9;]+)m", output)
    assert not any("8;5;" in code or "8;2;" in code for code in codes)
    assert {"34", "36", "32", "31"} <= {part for code in codes for part in code.split(";")}


@pytest.mark.parametrize("ascii", [False, True])
async def test_no_color_writes_no_colour_at_all_and_marks_stay(ascii: bool, capture_driver, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    output = await written(Look("none", ascii), capture_driver)
    parts = {part for code in re.findall(r"\x1b\[([0-9;]+)m", output) for part in code.split(";")}
    assert parts <= {"0", "1", "4", "7", "39", "49"}
    assert set("N^v") <= set(re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", output))


async def test_every_widget_survives_no_color_in_an_app_that_did_not_expect_it(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = Screenful(Look())
    async with app.run_test(size=(120, 40)) as pilot:
        app.show(50)
        await pilot.pause()
        assert app.no_color


async def test_clicks_become_messages_and_resizing_redraws():
    app = Screenful(Look())
    async with app.run_test(size=(120, 40)) as pilot:
        app.show(50)
        await pilot.pause()
        await pilot.click(Heatmap, offset=(4, 2))
        await pilot.click(Ruler, offset=(8, 0))
        assert [(m.column, getattr(m, "row", None)) for m in app.clicks] == [(4, 4), (7, None)]
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert app.query_one(Heatmap).render_line(0).cell_length == 58
        assert "▼" in app.query_one(Ruler).render_line(0).text
