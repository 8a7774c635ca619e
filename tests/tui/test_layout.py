"""The layout follows from what is selected: whichever way led there, the screen is a fresh program's."""

from __future__ import annotations

from random import Random

import pytest
from source_traces import source_trace
from synthetic import synthetic
from textual.geometry import Size
from textual.pilot import Pilot

from lstmtui.session import Session
from lstmtui.trace import Traces
from lstmtui.tui.compat import whole_screen
from lstmtui.tui.panels.step import StepPanel
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.panels.values import ValuesPanel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start

SIZES = ((60, 20), (80, 24), (120, 40), (150, 45), (99, 30))
KEYS = (
    *("right", "left", "shift+right", "pagedown", "end", "home", "down", "down", "up", "u", "m", "m", "L"),
    *(
        "d",
        "B",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "9",
        "i",
        "z",
        "z",
        "tab",
        "escape",
        "[",
        "]",
        "f",
        "f",
        "(",
        ")",
    ),
)
LINES = (
    "watch norm(h)",
    "unwatch 1",
    "break at 9",
    "delete 1",
    "hide h",
    "reveal",
    "compare small",
    "goto 55",
)


def traces() -> Traces:
    """Models whose layers have other states, other widths of names, and other rows."""
    wide = synthetic("lstm", 90, 12, layers=2, bidirectional=True, batch=2, name="wide", notes="notes")
    code = source_trace(steps=70)
    return Traces({"wide": wide, "code": code, "small": synthetic("gru", 90, 3, batch=2, name="small")})


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def picture(pilot: Pilot[None]) -> list[str]:
    """Each row of the screen but the last, which has messages: its text, and its styles."""
    rows = list(whole_screen(pilot.app).strips)[:-1]
    return [" ".join(f"{segment.text}|{segment.style}" for strip in row for segment in strip) for row in rows]


def bring(screen: DebuggerScreen, walked: DebuggerScreen) -> None:
    """Select in a fresh screen what another has selected."""
    session, arrangement = screen.session, screen.arrangement
    for name in ("watches", "breakpoints", "compared", "hidden", "cursor"):
        setattr(session, name, getattr(walked.session, name))
    screen.panels.axis.most_per_column = walked.panels.axis.most_per_column
    screen.panels.forget()
    arrangement.in_front, zoomed = walked.arrangement.in_front, walked.arrangement.zoomed
    arrangement.zoomed = None if zoomed is None else screen.panels[zoomed.NUMBER]
    screen.show_session()
    for number, panel in walked.panels.items():
        fresh = screen.panels[number]
        if isinstance(panel, TimelinePanel) and isinstance(fresh, TimelinePanel):
            fresh.turned = panel.turned
        elif isinstance(panel, ValuesPanel | StepPanel) and isinstance(fresh, ValuesPanel | StepPanel):
            fresh.scroll_rows(panel.lines.top - fresh.lines.top)
    screen.show_session()
    if (focused := walked.arrangement.focused_number) is not None:
        arrangement.focus(focused)


@pytest.mark.parametrize("seed", range(2))
async def test_whichever_way_led_there_the_screen_is_a_fresh_one(seed: int, debugger) -> None:
    dice, recorded = Random(seed), traces()
    size = dice.choice(SIZES)
    walked = []
    async with debugger(recorded, size) as pilot:
        for _ in range(7):
            for _ in range(dice.choice((1, 2, 5))):
                kind = dice.randrange(12)
                if kind == 0:
                    size = dice.choice(SIZES)
                    await pilot.resize_terminal(*size)
                elif kind < 3:
                    debugging(pilot).run_text(dice.choice(LINES))
                else:
                    await pilot.press(walked.append(key := dice.choice(KEYS)) or key)
            await pilot.pause()
            assert pilot.app.size == Size(*size)
            async with debugger(Start(session=Session(recorded)), size) as fresh:
                with fresh.app._context():  # the other app runs still
                    bring(debugging(fresh), debugging(pilot))
                await fresh.pause()
                assert picture(pilot) == picture(fresh), (size, walked)


async def test_a_zoomed_panel_that_another_cell_does_not_have_gives_the_screen_back(debugger) -> None:
    async with debugger(traces(), (120, 40)) as pilot:
        screen = debugging(pilot)
        await pilot.press("3", "z")
        assert screen.panels.on_screen() == [3]
        screen.run_text("model small")
        assert screen.panels.on_screen() == [1, 2, 4, 5, 6, 7, 8, 9]
