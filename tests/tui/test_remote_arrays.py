"""The screen where the arrays are elsewhere: it shows the same, and never waits to be drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keyboard import press, settle, type_text
from remote_backends import Echo, Slow
from source_traces import source_trace
from synthetic import synthetic
from textual.geometry import Region
from textual.pilot import Pilot

from lstmtui.session import Session
from lstmtui.trace import Trace, Traces
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start

Shown = Callable[[Pilot[None]], str]

WALK = ("step", "goto 77", "back", "layer 1", "direction backward", "last", "batch 1", "into", "unit 7")
ASKED = (
    "watch c - prev(c)",
    "watch norm(z)",
    "break when min(f) < 0.1",
    "continue",
    "print c",
    "set f = 0.5",
)
OTHERS = ("goto 5", "compare small", "compare none", "reset", "model small", "rcontinue")


def traces(steps: int = 90) -> Traces:
    """An LSTM in two layers and both directions, and a GRU of fewer timesteps."""
    dice = np.random.default_rng(1)
    extras = {"y": dice.normal(size=(steps, 2, 1)), "target": dice.normal(size=(steps, 2, 1))}
    big = synthetic("lstm", steps, 20, layers=2, bidirectional=True, batch=2, name="big", extras=extras)
    big.arrays["0/forward/dh"][3] = np.nan  # type: ignore[index]
    return Traces({"big": big, "small": synthetic("gru", 60, 5, name="small", batch=2, extras=extras)})


class Shifted:
    """An engine whose what-ifs are other random numbers."""

    def rerun(self, trace: Trace, edits: Any, loss_at: Any = None, progress: Any = None) -> Trace:
        other = synthetic("lstm", trace.steps, 20, layers=2, bidirectional=True, batch=2, seed=9)
        return Trace(trace.header, {**trace.arrays, **other.arrays})


def far(echo: Echo, runs: Trace | Traces, engine: Any = None) -> Start:
    """What an app begins with that has its arrays elsewhere."""
    session = echo.session(runs, engine)
    engine = None if session.what_ifs is None else session.what_ifs._engine
    return Start(Traces(session.traces), engine=engine, backend=echo)


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


async def run(pilot: Pilot[None], line: str) -> None:
    """Execute a line, and wait until what came of it is on screen."""
    screen = debugging(pilot)
    screen.run_text(line)
    await done(screen)
    await pilot.pause()


async def hold(pilot: Pilot[None], slow: Slow) -> DebuggerScreen:
    """Let nothing come any more, once everything that an opened app asks for has come."""
    screen = debugging(pilot)
    async with asyncio.timeout(60):
        while not screen.presenter.banner.is_shown or screen.is_behind:
            await settle()
    # The panels are a row lower now, and some a row less high: they ask again.
    answered = -1
    while answered != slow.answered:
        answered = slow.answered
        await pilot.pause(0.3)
    slow.holds = True
    return screen


def cut(text: str, region: Region) -> list[str]:
    """A part of the screen."""
    return [line[region.x : region.right] for line in text.splitlines()[region.y : region.bottom]]


async def done(screen: DebuggerScreen) -> None:
    """Wait until nothing runs."""
    async with asyncio.timeout(60):
        while screen.runner.running is not None:
            await settle()
    await settle()


@pytest.mark.parametrize(("size", "every"), [((120, 40), 1), ((80, 24), 3)], ids=str)
async def test_every_panel_shows_the_same(size: tuple[int, int], every: int, debugger, shown: Shown) -> None:
    pictures: list[list[str]] = []
    echo = Echo()
    for start in (Start(traces(), engine=Shifted()), far(echo, traces(), Shifted())):
        async with debugger(start, size, ascii=every > 1) as pilot:
            screen, seen = debugging(pilot), []
            for line in (*WALK, *ASKED)[::every]:
                await run(pilot, line)
                seen.append(shown(pilot))
            screen.action_difference()
            for number in (1, 2, 5, 6, 7, 9)[::every]:
                screen.action_panel(number)
                screen.action_zoom() if screen.arrangement.zoomed is None else None
                await pilot.pause()
                seen.append(shown(pilot))
            screen.action_zoom()
            for line in OTHERS[::every]:
                await run(pilot, line)
                seen.append(shown(pilot))
            pictures.append(seen)
    for here, there in zip(*pictures, strict=True):
        assert there == here
    if every == 1:
        asked = {name for name, _ in echo.sizes}
        assert {"window", "difference", "gradient_norm_plot", "signal", "survivals_at"} <= asked


async def test_the_whole_run_looks_the_same(debugger, shown: Shown) -> None:
    run = synthetic(steps=300, labels=("a", "b"), extras={"tokens": np.arange(300)[:, None] // 7 % 2})
    pictures: list[list[str]] = []
    for start in (run, far(Echo(), run)), (source_trace(steps=300), far(Echo(), source_trace(steps=300))):
        pictures.append([])
        for one in start:
            async with debugger(one, (120, 40)) as pilot:
                await pilot.press("f")
                await done(debugging(pilot))
                await pilot.pause()
                pictures[-1].append(shown(pilot))
    assert all(here == there and "timesteps a column" in here for here, there in pictures)


async def test_recorded_code_looks_the_same(debugger, shown: Shown) -> None:
    pictures: list[list[str]] = []
    for start in (source_trace(), far(Echo(), source_trace())):
        seen = []
        async with debugger(start, (120, 40)) as pilot:
            for line in ("goto 3", "into", "into", "unit 9", "step", "last"):
                await run(pilot, line)
                seen.append(shown(pilot))
        pictures.append(seen)
    assert pictures[0] == pictures[1]


async def test_a_long_and_wide_run_is_drawn_from_small_answers(debugger) -> None:
    echo = Echo()
    async with debugger(far(echo, synthetic("lstm", 20_000, 256)), (120, 40)) as pilot:
        for line in ("break when max(c) > 2", "watch c", "goto 10000", "step", "last"):
            await run(pilot, line)
    assert max(size for _, size in echo.sizes) <= 64 << 10, echo.sizes
    step = [size for name, size in echo.sizes if name in ("vector", "numbers_at", "equations_at")]
    assert max(step) < 8 << 10


async def test_what_was_seen_stays_until_the_answers_have_come(debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        screen = await hold(pilot, slow)
        panels = [screen.panels[number] for number in (2, 3, 4, 5, 9)]
        before = [cut(shown(pilot), panel.region) for panel in panels]
        screen.run_text("goto 80")
        await pilot.pause()
        assert "t=80/89" in shown(pilot).splitlines()[0]
        assert [cut(shown(pilot), panel.region) for panel in panels] == before
        asked = slow.asked
        async with asyncio.timeout(60):
            while "5… Step" not in shown(pilot):
                await asyncio.sleep(0.05)
        assert slow.asked == asked, "nothing is asked again for as long as nothing has come"
        slow.deliver()
        await settle()
        await pilot.pause()
        assert not screen.is_behind, "one pass asked for everything"
        came = shown(pilot)
    async with debugger(traces(), (120, 40)) as pilot:
        await run(pilot, "goto 80")
        assert came == shown(pilot)


async def test_an_answer_that_comes_too_late_is_not_shown(debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        screen = await hold(pilot, slow)
        screen.run_text("step")
        await pilot.pause()
        slow.deliver()
        screen.run_text("goto 40")
        await settle()
        assert screen.is_behind
        assert "Step: unit 0 at t=1" not in shown(pilot)
        slow.deliver()
        await settle()
        await pilot.pause()
        assert "Step: unit 0 at t=40" in shown(pilot)


async def test_playing_waits_for_what_it_shows(debugger) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        screen = await hold(pilot, slow)
        screen.player.level = 5
        screen.action_play()
        for t in (1, 2):
            async with asyncio.timeout(60):
                while screen.session.cursor.t < t:
                    slow.deliver()  # what was asked of the timestep before
                    await asyncio.sleep(0.01)
                while not screen.is_behind:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert screen.session.cursor.t == t


async def test_commands_wait_for_the_one_whose_answer_is_due(debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        screen = debugging(pilot)
        slow.go.clear()
        await type_text(pilot, ":break when t == 33\n:c\nl:pri")
        assert screen.session.cursor.t == 0
        async with asyncio.timeout(60):
            while "waiting for the answer: c" not in shown(pilot):
                await settle()
        slow.go.set()
        async with asyncio.timeout(60):
            while screen.session.cursor.t != 34:
                await settle()
        assert [b.hits for b in screen.session.breakpoints] == [1]
        assert screen.command_line.input.value == "pri"


async def test_the_prompt_opens_again_under_a_refusal_and_a_long_answer(debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (80, 24)) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, ":print c[99]\n")
        await done(screen)
        assert screen.command_line.input.value == "print c[99]"
        assert "c has units 0 to 19" in shown(pilot)
        await press(pilot, "escape")
        await type_text(pilot, ":print c\n")
        await done(screen)
        assert screen.command_line.is_open
        assert screen.command_line.input.value == ""
        assert "(20 units" in shown(pilot)


async def test_escape_gives_up_what_is_waited_for(debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        screen = debugging(pilot)
        slow.go.clear()
        screen.run_text("print norm(c)")
        screen.run_text("step")
        await press(pilot, "escape")
        await done(screen)
        await pilot.pause()
        assert "stopped: print norm(c)" in shown(pilot).splitlines()[-1]
        assert screen.session.cursor.t == 0


async def test_an_export_is_written_off_the_event_loop(debugger, tmp_path) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (120, 40)) as pilot:
        await run(pilot, f"export {tmp_path / 'run.csv'}")
        assert (tmp_path / "run.csv").read_text().startswith("t,norm(x)")
        await run(pilot, f"export {tmp_path / 'nowhere' / 'run.csv'}")
        message = debugging(pilot).message
        assert message is not None
        assert not message.ok


@pytest.mark.parametrize("size", [(60, 20), (120, 40)], ids=str)
async def test_trouble_on_the_way_is_in_the_header(size: tuple[int, int], debugger, shown: Shown) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), size) as pilot:
        slow.link_status = "reconnecting, attempt 2 of 8"
        slow.deliver()
        await settle()
        await pilot.pause()
        assert slow.link_status in shown(pilot).splitlines()[0]
        assert "t=0/89" in shown(pilot).splitlines()[0]
        slow.link_status = ""
        slow.deliver()
        await settle()
        await pilot.pause()
        assert "reconnecting" not in shown(pilot)


async def test_news_after_the_end_disturb_nobody(debugger) -> None:
    slow = Slow()
    async with debugger(far(slow, traces()), (60, 20)):
        news = slow.on_update
        assert news is not None
    assert slow.on_update is None
    news()


def test_a_session_beside_another_asks_where_that_one_asks() -> None:

    session = Echo().session(traces())
    assert session.view.fitted_to(session.traces["small"]).backend is session.backend
    assert Session(traces()).backend is None
