"""What-ifs are kept nowhere, so whatever would lose them asks first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from oracles.recurrents import noise, random_recurrent
from textual.pilot import Pilot

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.trace import Trace
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.losing import LosingScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.start import Choice, Opening, Start

SCRIPT = "set h[0] = 1\nnote It is one.\nnote And on."


def begin(steps: int = 6) -> Start:
    """A run that can be run again, and another to open."""

    def recorded(steps: int) -> Trace:
        trace = record(random_recurrent("lstm", hidden_size=3), noise(steps, 1, 3, seed=4))
        trace.header = replace(trace.header, script=SCRIPT)
        return trace

    return Start(
        traces=recorded(steps),
        engine=RerunEngine(),
        choices=[Choice(Path("other"), "Another")],
        opener=lambda path: Opening(path.name, lambda progress: recorded(3)),
    )


async def what_if(pilot: Pilot[None]) -> None:
    """Run with a value changed."""
    screen = pilot.app.screen
    assert isinstance(screen, DebuggerScreen)
    screen.run_text("set c[1] = 0.5 from 2 to 3")
    while screen.is_busy:
        await settle()
    await settle()


@pytest.mark.parametrize("quits", ["q", "ctrl+c", "ctrl+q", ":quit\n"])
async def test_who_quits_is_asked_about_what_ifs_and_may_stay(quits: str, debugger, shown) -> None:
    async def quit_(pilot: Pilot[None]) -> None:
        await (type_text(pilot, quits) if quits.startswith(":") else press(pilot, quits))
        await settle()

    async with debugger(begin(), (80, 24)) as pilot:
        await what_if(pilot)
        for stays in ("escape", "n"):
            await quit_(pilot)
            assert isinstance(pilot.app.screen, LosingScreen)
            assert "a what-if that is kept nowhere" in shown(pilot)
            assert "c[1] = 0.5 from t=2 to t=3" in shown(pilot)
            await press(pilot, stays)
            assert isinstance(pilot.app.screen, DebuggerScreen)
            assert len(pilot.app.screen.losable) == 1
        await quit_(pilot)
        await press(pilot, "y")
        assert pilot.app._exit


@pytest.mark.parametrize("again", ["q", "ctrl+c", "ctrl+q", "enter"])
async def test_asked_for_twice_it_quits(again: str, debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await what_if(pilot)
        await press(pilot, "q", again)
        assert pilot.app._exit


async def test_nobody_is_asked_where_nothing_is_lost(debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await what_if(pilot)
        pilot.app.screen.run_text("reset")
        await press(pilot, "q")
        assert pilot.app._exit


async def test_what_ifs_of_a_lesson_are_nobodys_but_those_put_aside_for_it_are(debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await press(pilot, "t")
        screen = pilot.app.screen
        while screen.is_busy:
            await settle()
        assert screen.session.what_ifs.texts == ("h[0] = 1 from t=0 to t=5",)
        assert screen.losable == ()
        await press(pilot, "t")
        await what_if(pilot)
        await press(pilot, "t")
        assert screen.losable == ("c[1] = 0.5 from t=2 to t=3",)
        await press(pilot, "q")
        assert isinstance(pilot.app.screen, LosingScreen)


@pytest.mark.parametrize(("answer", "steps"), [("escape", 6), ("y", 3)])
async def test_another_scenario_is_opened_only_after_the_question(answer: str, steps: int, debugger) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        await what_if(pilot)
        await press(pilot, "p", "enter")
        assert isinstance(pilot.app.screen, LosingScreen)
        await press(pilot, answer)
        while not isinstance(pilot.app.screen, (DebuggerScreen, PickerScreen)):
            await settle()
        assert pilot.app.screen.session.trace.steps == steps


async def test_what_gradients_are_taken_of_is_a_what_if_too(debugger, shown) -> None:
    async with debugger(begin(), (80, 24)) as pilot:
        pilot.app.screen.run_text("loss at 2")
        while pilot.app.screen.is_busy:
            await settle()
        await press(pilot, "q")
        assert "gradients of" in shown(pilot)
