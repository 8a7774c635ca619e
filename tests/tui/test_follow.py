"""A trace that is being recorded, on screen: it grows, the cursor goes along or stays, its end is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from lstmtui.capture.engine import RerunEngine
from lstmtui.session import WhatIfs
from lstmtui.trace import Header, Layer
from lstmtui.trace.growth import Growth
from lstmtui.trace.keys import array_key
from lstmtui.trace.writing import TraceWriter
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start

T, B, H = 400, 1, 4
NAMES = ("x", "h_pre", "h")
Debugger = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.trace.directory.BETWEEN", 0.0)
    monkeypatch.setattr("lstmtui.tui.parts.following.EVERY", 0.02)
    monkeypatch.setattr("os.fsync", lambda number: None)


class Recording:
    """A recording that goes on when it is told to."""

    def __init__(self, path: Path, name: str = "m") -> None:
        self.header = Header(name, (Layer("rnn_tanh", H, H),), steps=T, batch=B)
        self.writer = TraceWriter(path)
        self.writer.describe(self.header)
        self.files = [self.writer.array(array_key(n, 0, "forward"), (T, B, H), np.float32) for n in NAMES]
        initial = self.writer.array(array_key("initial/h", 0, "forward"), (B, H), np.float32)
        initial.write(0, np.zeros((B, H)))
        self.done = 0

    def go_on(self, steps: int, value: float = 0.5) -> None:
        """So many more timesteps."""
        for file in self.files:
            file.write(self.done, np.full((steps, B, H), value))
        self.done += steps
        self.writer.advance(self.done)

    def end(self) -> None:
        """Everything is there."""
        self.go_on(T - self.done)
        self.writer.finish(self.header)


@pytest.fixture
def opened(tmp_path: Path, debugger: Debugger, shown: Callable[[Pilot[None]], str]) -> Any:
    """Open a recording that has ten timesteps: (it, the session, `wait until the header has a text`)."""

    @asynccontextmanager
    async def run(*, follow: bool) -> AsyncIterator[tuple[Recording, Pilot[None], Callable[[str], Any]]]:
        recording = Recording(tmp_path / "t")
        recording.go_on(10)
        growth = Growth(tmp_path / "t")
        traces = growth.poll()
        async with debugger(Start(traces=traces, follower=growth, follow=follow)) as pilot:

            async def header_has(text: str) -> None:
                header = ""
                for _ in range(200):
                    header = " ".join(shown(pilot).splitlines()[0].split())
                    if text in header:
                        return
                    await asyncio.sleep(0.02)
                pytest.fail(f"{text} is not in {header}")

            yield recording, pilot, header_has
        recording.writer.abandon()

    return run


def screen_of(pilot: Pilot[None]) -> DebuggerScreen:
    screen = pilot.app.screen
    assert isinstance(screen, DebuggerScreen)
    return screen


async def test_following_goes_along_until_one_walks_back_and_again_from_the_end(opened: Any) -> None:
    async with opened(follow=True) as (recording, pilot, header_has):
        await header_has("t=9/9 live 2%, following")
        screen_of(pilot).run_text("break at 3")
        recording.go_on(10)
        await header_has("t=19/19 live 5%, following")
        screen_of(pilot).run_text("back 5")
        await header_has("t=14/19 live 5% unit")
        recording.go_on(20)
        await header_has("t=14/39 live 10% unit")
        screen_of(pilot).run_text("last")
        await header_has("t=39/39 live 10%, following")
        recording.go_on(10)
        await header_has("t=49/49 live 12%, following")
        recording.end()
        await header_has("t=399/399 ended at t=399, following")
        assert [point.place for point in screen_of(pilot).session.breakpoints] == ["at t=3"]


async def test_without_following_it_grows_and_the_cursor_stays(opened: Any) -> None:
    async with opened(follow=False) as (recording, pilot, header_has):
        await header_has("t=0/9 live 2% unit")
        recording.go_on(30)
        await header_has("t=0/39 live 10% unit")
        assert screen_of(pilot).session.cursor.t == 0


@pytest.mark.parametrize("small", [True, False], ids=["small", "long"])
async def test_a_bad_value_that_comes_later_is_told(
    small: bool, opened: Any, shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmtui.tui.banner.is_small", lambda session: small)
    async with opened(follow=False) as (recording, pilot, header_has):
        banner = screen_of(pilot).presenter.banner
        recording.go_on(20, float("nan"))
        await header_has("t=0/29")
        assert banner.is_shown == small
        recording.end()
        await header_has("ended at t=399")
        async with asyncio.timeout(60):
            while "NaN first appears in layer 0 forward at t=10: x[0]" not in shown(pilot).splitlines()[1]:
                await asyncio.sleep(0.02)
        banner.dismiss()
        banner.look_again(screen_of(pilot).session)
        await pilot.pause(0.1)
        assert not banner.is_shown


async def test_a_recording_that_is_given_up_is_told(opened: Any, tmp_path: Path) -> None:
    async with opened(follow=True) as (recording, pilot, header_has):
        # As if it had been killed: its lock is let go, and what it wrote stays.
        recording.writer.directory._lock.close()
        await header_has("t=9/9 stopped at t=9 of 399")
        assert screen_of(pilot).session.trace.values("h").shape == (10, B, H)


async def test_a_trace_that_is_replaced_by_another_is_gone_over_to(opened: Any, tmp_path: Path) -> None:
    async with opened(follow=True) as (recording, _, header_has):
        recording.end()
        await header_has("ended at t=399, following")
        again = Recording(tmp_path / "t", name="another")
        again.go_on(20)
        await header_has("another rnn_tanh 1×4 t=19/19 live 5%, following")
        again.writer.abandon()


async def test_growth_waits_for_what_ifs_to_be_taken_back(opened: Any) -> None:
    async with opened(follow=False) as (recording, pilot, header_has):
        session = screen_of(pilot).session
        session.what_ifs = WhatIfs(RerunEngine(), session.traces)
        session.what_ifs.runs = {"m": session.baseline}
        recording.go_on(30)
        await asyncio.sleep(0.2)
        assert session.last_t == 9
        session.what_ifs.runs = {}
        await header_has("t=0/39")
