"""The laws of state on screen: held off the event loop, listed, gone to, stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Event

import pytest
from made_runs import made
from textual.pilot import Pilot

from lstmtui.analysis.laws import BROKEN, HELD, HeldLaws, LawResult, Place
from lstmtui.capture.laws.engine import ModelEngine
from lstmtui.trace import Trace
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.laws import LawsScreen
from lstmtui.tui.start import Start

RESULTS = (
    LawResult("isolation", HELD, "3 sequences"),
    LawResult("carry", BROKEN, "rnn: \x1b[31mnever carried on", place=Place(7, 0, "", "forward", "h", 2, 0)),
)


class Given(ModelEngine):
    """Holds no law, and says what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()

    def laws(
        self,
        trace: Trace,
        progress: Callable[[str, float], None] | None = None,
        only: Collection[str] = (),
    ) -> HeldLaws:
        assert progress is not None
        while not self.go.wait(0.02):
            progress("carry", 12.0)
        return HeldLaws(RESULTS)


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.02)
    pytest.fail("it did not happen")


@pytest.mark.parametrize("size", [(120, 40), (60, 20)], ids=str)
async def test_laws_are_listed_and_e_goes_to_what_breaks_one(size, debugger, shown) -> None:
    engine = Given()
    engine.go.set()
    async with debugger(Start(traces=made("lstm"), engine=engine), size) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(pilot.app.screen, LawsScreen))
        await pilot.pause()
        text = " ".join(shown(pilot).replace("│", " ").split())
        assert "─ Laws of Recurrent ─" in text
        assert "─ [ ] choose e goes there esc ─" in text
        assert "held isolation 3 sequences" in text
        assert "▸ broken carry rnn:" in text
        assert "\x1b[31m" not in text
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        cursor = pilot.app.screen.session.cursor
        assert (cursor.t, cursor.unit) == (7, 2)


async def test_how_long_a_law_takes_is_said_and_escape_stops_it(debugger, shown) -> None:
    async with debugger(Start(traces=made("lstm"), engine=Given())) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: "testing the law carry: about 12 s" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "stopped: laws" in shown(pilot))
        assert isinstance(pilot.app.screen, DebuggerScreen)
