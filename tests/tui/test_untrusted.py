"""Text from files is shown, never obeyed: neither by the terminal nor as markup."""

from __future__ import annotations

import re

import numpy as np
import pytest
from synthetic import synthetic
from terminal import Terminal, visible

from lstmtui.trace import Trace, Traces
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.laws import LawsScreen
from lstmtui.tui.theme import Look

EVIL = (
    "[bold]x[/bold] [@click=app.quit]q[/] \x1b]0;owned\x07\x1b[2J\x1b[31m \x9b31m \u202eevil\u2066 \x7f\x08\r"
)
_OURS = re.compile(r"\x1b(?:\[[0-9;?]*[GHmhlJK]|\[[<>=?]?[0-9;$]*[uqpt]|\]22;[a-z]*\x07)")
"""The sequences the app itself has a use for."""


def evil() -> Traces:
    """Hostile text in every place a file can put it."""
    tokens = np.zeros((40, 1), np.int64)
    options = {"title": EVIL, "notes": f"# {EVIL}\n\n{EVIL}\n\n[link](javascript:{EVIL})", "labels": (EVIL,)}
    first = synthetic(name=EVIL, extras={"tokens": tokens}, device=EVIL, precision=EVIL, **options)  # type: ignore[arg-type]
    second = synthetic("gru", name="b" + EVIL, **options)  # type: ignore[arg-type]
    return Traces({EVIL: first, "b" + EVIL: second})


@pytest.mark.parametrize("ascii", [False, True])
async def test_nothing_hostile_reaches_the_terminal(ascii: bool, debugger, capture_driver) -> None:
    async with debugger(evil(), (120, 40), ascii=ascii) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        for action in (screen.action_zoom, screen.action_zoom, lambda: screen.action_select("model", 1)):
            action()
            await pilot.pause()
        for number in (8, 1, 6):
            screen.arrangement.zoomed = None
            screen.action_panel(number)
            screen.action_zoom()
            await pilot.pause()
        output = capture_driver.taken()
    assert "owned" in visible(output)
    rest = _OURS.sub("", output)
    assert "\x1b" not in rest
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)


async def test_markup_in_the_title_of_a_dialog_is_shown_as_it_was_written(debugger, shown) -> None:
    async with debugger(evil(), (120, 40)) as pilot:
        await pilot.app.push_screen(LawsScreen(Look(), EVIL, ()))
        await pilot.pause()
        assert "Laws of [bold]x[/bold] [@click=app.quit]q[/] " in shown(pilot)


async def test_markup_is_shown_as_it_was_written(debugger, shown) -> None:
    async with debugger(evil(), (200, 60)) as pilot:
        assert "[bold]x[/bold]" in shown(pilot).splitlines()[0]
        assert "[bold]x[/bold]" in "".join(line[-60:] for line in shown(pilot).splitlines()[40:])


def marked() -> Trace:
    """NaN and both infinities in every quantity, state and derivative."""
    trace = synthetic(steps=30)
    for array in trace.arrays.values():
        if len(array) == trace.steps:
            array[3], array[5], array[7] = np.nan, np.inf, -np.inf
    return trace


@pytest.mark.parametrize("ascii", [False, True])
async def test_values_that_are_no_numbers_have_marks_everywhere(ascii: bool, debugger, shown) -> None:
    async with debugger(marked(), (120, 40), ascii=ascii) as pilot:
        screen = pilot.app.screen
        screen.session.goto(3)
        screen.show_session()
        await pilot.pause()
        text = shown(pilot)
        for number in (1, 2, 3, 4, 6):
            box = screen.panels[number].region
            drawn = "".join(line[box.x : box.right] for line in text.splitlines()[box.y + 1 : box.bottom])
            assert "N" in drawn, f"panel {number}"
            assert "^" in drawn, f"panel {number}"
            assert "v" in drawn or number == 6, "a norm is never negative"
        assert text.count("NaN") > 10


async def test_ascii_mode_writes_nothing_else(debugger, capture_driver) -> None:
    traces = Traces({"a": synthetic(name="a", title="漢字 → é", notes="— “quoted” —"), "b": synthetic("gru")})
    async with debugger(traces, (120, 40), ascii=True) as pilot:
        screen = pilot.app.screen
        actions = (
            screen.action_zoom,
            screen.action_zoom,
            lambda: screen.run_text("into"),
            screen.action_play,
        )
        for action in (*actions, screen.action_leave, screen.app.action_help):
            action()
            await pilot.pause()
        await pilot.press("end", "escape", "g")
        shown = visible(capture_driver.taken())
        assert {c for c in shown if not c.isascii()} == set()


@pytest.mark.parametrize("depth", ["256", "16", "none"])
async def test_fewer_colours_still_show_every_panel(depth: str, debugger, capture_driver, colours) -> None:
    colours(depth)
    terminal = Terminal(120, 40)
    async with debugger(synthetic(), (120, 40)) as pilot:
        pilot.app.screen.run_text("into")
        await pilot.pause()
        output = capture_driver.taken()
    terminal.feed(output)
    for title in (
        "1 Sequence",
        "2 Gates",
        "3 Cell state",
        "4 Hidden",
        "5 Step",
        "6 ‖∂L/∂h‖",
        "8 Notes",
        "9 Val",
    ):
        assert title in terminal.text
    codes = ";".join(re.findall(r"\x1b\[([0-9;]+)m", output))
    assert "8;2;" not in codes
    assert ("8;5;" in codes) == (depth == "256")
    if depth == "none":
        assert set(codes.split(";")) <= {"0", "1", "2", "4", "7", "39", "49", ""}
