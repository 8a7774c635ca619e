"""What-ifs on screen: they run beside the event loop, show what they changed, and can be taken back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
from keyboard import press, settle, step_costs, type_text
from oracles.recurrents import noise, random_recurrent
from textual.pilot import Pilot

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start

SIZES = [(120, 40), (80, 24)]


def recorded(steps: int = 10, hidden_size: int = 4, **options: Any) -> Trace:
    """A small run of an LSTM."""
    module = random_recurrent("lstm", hidden_size=hidden_size)
    return record(module, noise(steps, 1, 3, seed=4), name="LSTM", **options)


def start(engine: Any = None) -> Start:
    """The small run, and what runs it again."""
    return Start(traces=recorded(), engine=engine or RerunEngine())


class Held(RerunEngine):
    """An engine that works until it is let go."""

    def __init__(self) -> None:
        self.go, self.began = threading.Event(), threading.Event()

    def rerun(self, *arguments: Any) -> Trace:
        self.began.set()
        assert self.go.wait(10)
        return super().rerun(*arguments)


class Endless:
    """An engine that only ends where its progress is stopped."""

    def rerun(
        self, trace: Trace, edits: object, loss_at: object, progress: Callable[[int, int], None]
    ) -> Trace:
        stop = threading.Event()
        for done in range(5000):
            progress(done, 5000)
            stop.wait(0.001)
        raise UserError("nobody stopped it")


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


async def done(pilot: Pilot[None]) -> None:
    """Wait until nothing runs."""
    async with asyncio.timeout(60):
        while debugging(pilot).runner.running is not None:
            await settle()
    await pilot.pause()


async def run(pilot: Pilot[None], line: str) -> None:
    """Execute a line, and wait for what it runs; what typing it does is tested in `test_prompt`."""
    debugging(pilot).run_text(line)
    await done(pilot)


async def text_of(pilot: Pilot[None], number: int) -> str:
    """Everything a panel says, which is zoomed where it has no room."""
    await press(pilot, str(number))
    await settle()
    lines = debugging(pilot).panels[number].lines._lines  # type: ignore[attr-defined]
    await press(pilot, "escape")
    await settle()
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_line_above_says_what_is_not_as_recorded_and_leads_to_it(size, debugger, shown) -> None:
    async with debugger(start(), size) as pilot:
        await run(pilot, "loss at 7")
        top = shown(pilot).splitlines()[0]
        assert "loss at t=7" in top
        assert "what-if" not in top
        assert "loss sum of h at t=7, sequence 0" in await text_of(pilot, 7)
        await run(pilot, "set f[1] = 0.75 from 4 to 6")
        await run(pilot, "set i[1] = 0.75 from 4 to 6")
        top = shown(pilot).splitlines()[0]
        assert "2 what-ifs" in top
        await pilot.click("#header", offset=(top.index("2 what-ifs"), 0))
        await settle()
        assert debugging(pilot).focused is debugging(pilot).panels[7]
        await run(pilot, "reset")
        assert "loss sum" not in await text_of(pilot, 7)


async def test_each_output_as_it_was_recorded_has_its_own_name(debugger, shown) -> None:
    async with debugger(start(), (200, 60)) as pilot:
        await run(pilot, "set f[1] = 0.75 from 4 to 6")
        await press(pilot, "1", "z")
        await settle()
        head = next(line for line in shown(pilot).splitlines() if "1 Sequence" in line)
        for unit in range(4):
            assert f"y[{unit}] as" in head


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_what_if_shows_what_it_changed_everywhere(size: tuple[int, int], debugger, shown) -> None:
    async with debugger(start(), size) as pilot:
        screen = debugging(pilot)
        assert "what-if" not in shown(pilot).splitlines()[0]
        await run(pilot, "set f[1] = 0.75 from 4 to 6")
        assert "what-if" in shown(pilot).splitlines()[0]
        assert "what-if 1: f[1] = 0.75 from t=4 to t=6" in shown(pilot).splitlines()[-1]
        assert await text_of(pilot, 7) == "▸ what if 1 f[1] = 0.75 from t=4 to t=6  LSTM"
        await run(pilot, "unit 1")
        await run(pilot, "goto 5")
        values = (await text_of(pilot, 9)).splitlines()
        assert values[0].split()[:2] == ["value", "was"]
        forget = next(row for row in values if row.startswith("f "))
        was = float(screen.session.baseline.values("f")[5, 0, 1])
        assert forget.split()[1] == "0.750"
        assert float(forget.split()[2].replace("−", "-")) == pytest.approx(was, abs=2e-3)
        await run(pilot, "into")
        assert "set to 0.750" in await text_of(pilot, 5)
        assert (await text_of(pilot, 5)).count("set to") == 1
        await run(pilot, "goto 7")
        assert "set to" not in await text_of(pilot, 5)


@pytest.mark.parametrize(
    ("take_back", "size"), [*zip(("unset 1", "unset", "reset", "7x"), SIZES * 2, strict=True)], ids=str
)
async def test_taking_it_back_brings_everything_back(
    take_back: str, size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(start(), size) as pilot:
        screen = debugging(pilot)
        await run(pilot, "goto 5")
        texts = await text_of(pilot, 9), await text_of(pilot, 5)
        await pilot.pause()
        before = shown(pilot).splitlines()[:-1]
        await run(pilot, "set f = 0.75 from 4 to 6")
        assert shown(pilot).splitlines()[:-1] != before
        if take_back == "7x":
            await type_text(pilot, take_back)
            await done(pilot)
            await press(pilot, "escape")
        else:
            await run(pilot, take_back)
        await press(pilot, "escape")
        await pilot.pause()
        assert screen.session.trace is screen.session.baseline
        pairs = zip(shown(pilot).splitlines()[:-1], before, strict=True)
        assert [pair for pair in pairs if pair[0] != pair[1]] == []
        assert (await text_of(pilot, 9), await text_of(pilot, 5)) == texts


async def test_while_a_what_if_runs_the_screen_still_answers(debugger, shown) -> None:
    engine = Held()
    async with debugger(start(engine), (120, 40)) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, ":set f[1] = 1\n")
        assert await asyncio.to_thread(engine.began.wait, 5)
        assert "running the model again: set f[1] = 1" in shown(pilot)
        await type_text(pilot, "\x1bl")
        assert screen.session.cursor.t == 0
        assert "still running: set f[1] = 1" in shown(pilot).splitlines()[-1]
        await type_text(pilot, "3")
        assert screen.focused is screen.panels[3]
        await type_text(pilot, "?")
        assert not isinstance(pilot.app.screen, DebuggerScreen)
        await press(pilot, "escape")
        await type_text(pilot, ":note half")
        assert screen.command_line.is_open
        engine.go.set()
        await done(pilot)
        assert "what-if" in shown(pilot).splitlines()[0]
        assert screen.command_line.input.value == "note half"
        await type_text(pilot, " typed\n")
        assert screen.panels[8].said[-1].endswith("half typed")  # type: ignore[attr-defined]


async def test_escape_stops_a_what_if_and_nothing_has_changed(debugger, shown) -> None:
    async with debugger(start(Endless()), (120, 40)) as pilot:
        session = debugging(pilot).session
        await type_text(pilot, ":set f[1] = 1\n\x1b")
        assert debugging(pilot).runner.running is not None
        await type_text(pilot, "\x1b")
        await done(pilot)
        assert "stopped: set f[1] = 1" in shown(pilot).splitlines()[-1]
        assert session.trace is session.baseline
        assert session.what_ifs is not None
        assert session.what_ifs.edits == ()
        await press(pilot, "right")
        assert session.cursor.t == 1


async def test_what_cannot_be_set_is_said_and_changes_nothing(debugger, shown) -> None:
    async with debugger(start(), (120, 40)) as pilot:
        session = debugging(pilot).session
        for line, why in (
            ("set f[9] = 1", "unit 9: f has units 0 to 3"),
            ("set r = 1", "the cell lstm has"),
            ("set f = 1 from 99", "t=99: this sequence has t=0 to t=9"),
            ("unset", "there are no what-ifs"),
        ):
            await run(pilot, line)
            assert why in shown(pilot).splitlines()[-1]
        assert session.trace is session.baseline


async def test_without_the_model_a_what_if_is_refused_in_a_sentence(debugger, shown) -> None:
    async with debugger(recorded(), (120, 40)) as pilot:
        await run(pilot, "set f = 1")
        assert "this session cannot run models again" in shown(pilot).splitlines()[-1]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_run_without_its_loss_shows_values_and_says_why_there_are_no_gradients(
    size: tuple[int, int], debugger, shown
) -> None:
    traces = recorded(loss=lambda result: result[0].pow(2).sum())
    async with debugger(Start(traces=traces, engine=RerunEngine()), size) as pilot:
        await run(pilot, "set f[0] = 0.75 from 4")
        await run(pilot, "goto 5")
        values = await text_of(pilot, 9)
        forget = next(row for row in values.splitlines() if row.startswith("f "))
        assert forget.split()[1] == "0.750"
        assert forget.split()[3] == "–"
        assert "a function that the trace does not hold" in values
        assert "what-if" in shown(pilot).splitlines()[0]
        await run(pilot, "loss at 9")
        assert "a function that the trace does not hold" not in await text_of(pilot, 9)


async def test_a_step_with_breakpoints_watches_and_a_what_if_stays_within_the_byte_budget(
    debugger, capture_driver
) -> None:
    """120×40, truecolor, H = 64, T = 1000: at most 4 kB in the median, as without them."""
    traces = recorded(1_000, 64)
    async with debugger(Start(traces=traces, engine=RerunEngine()), (120, 40)) as pilot:
        screen = debugging(pilot)
        await run(pilot, "set f[3] = 0.9 from 2")
        for line in ("watch norm(h)", "watch c", "watch max(abs(dh))"):
            screen.run_text(line)
        for line in ("break at 500", "break when h[0] > 0.9", "break when norm(c) > 1 note strong"):
            screen.run_text(line)
        await pilot.pause()
        assert len((await text_of(pilot, 7)).splitlines()) == 7
        capture_driver.taken()
        costs = await step_costs(pilot, capture_driver)
        assert min(costs) > 0
        assert median(costs) <= 4_000
        assert np.isfinite(screen.session.trace.loss)
