"""A scenario's script as a tour: it plays, it waits, and it gives way to any key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.session.parse import parse_script
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.tour import AFTER_NOTE, BETWEEN, Tour

SIZES = [(120, 40), (80, 24)]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tour without time to read."""
    monkeypatch.setattr("lstmtui.tui.tour.BETWEEN", 0.01)
    monkeypatch.setattr("lstmtui.tui.tour.AFTER_NOTE", 0.01)


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


async def finished(pilot: Pilot[None]) -> None:
    """Wait until the tour is over."""
    screen = debugging(pilot)
    async with asyncio.timeout(60):
        while screen.message is None or screen.message.text != "the tour is over":
            await settle()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_tour_plays_the_script_and_shows_its_notes(
    size: tuple[int, int], hurried: None, debugger, shown
) -> None:
    script = "goto 7\nnote look at unit two\nunit 2\nwatch h[2]\nbreak at 20\nnote then on\ncontinue\n"
    async with debugger(synthetic(script=script, notes="At the bottom."), size) as pilot:
        await press(pilot, "t")
        await finished(pilot)
        screen = debugging(pilot)
        cursor = screen.session.cursor
        assert (cursor.t, cursor.unit, len(screen.session.watches)) == (20, 2, 1)
        assert "the tour is over" in shown(pilot).splitlines()[-1]
        await press(pilot, "8")
        if not screen.arrangement.zoomed:
            await press(pilot, "z")
        await pilot.pause()
        page = shown(pilot)
        assert "t=7" in page
        assert page.index("then on") < page.index("look at unit two") < page.index("At the bottom.")
        await type_text(pilot, "zt")
        await finished(pilot)
        assert screen.session.cursor.t == 20
        assert len(screen.session.watches) == 2


async def test_a_pause_waits_as_long_as_it_says(hurried: None, debugger) -> None:
    async with debugger(synthetic(script="goto 3\npause 0.4\ngoto 9"), (80, 24)) as pilot:
        screen, clock = debugging(pilot), asyncio.get_running_loop()
        await press(pilot, "t")
        async with asyncio.timeout(60):
            while screen.guide.tour is None or screen.guide.tour.position < 2:
                await settle()
        paused = clock.time()
        async with asyncio.timeout(60):
            while screen.session.cursor.t != 9:
                assert screen.session.cursor.t == 3
                await settle()
        assert 0.3 < clock.time() - paused < 3


def test_a_tour_gives_time_to_read() -> None:
    tour = Tour(parse_script("step\nnote a\nstep\nnote b\npause 9\npause 0\nnote end"))
    waits = [tour.next()[1] for _ in range(7)]
    assert waits == [BETWEEN, AFTER_NOTE, BETWEEN, BETWEEN, 9, BETWEEN, AFTER_NOTE]
    assert tour.finished
    assert tour.progress == "7 of 7"


@pytest.mark.parametrize("key", ["u", "right", "2", "z", "colon", "space", "question_mark"])
async def test_any_key_takes_over_and_t_goes_on(key: str, debugger) -> None:
    async with debugger(synthetic(script="goto 3\ngoto 5\ngoto 7"), (80, 24)) as pilot:
        screen = debugging(pilot)
        await press(pilot, "t", key)
        assert not screen.guide.is_touring
        assert screen.guide.tour is not None
        assert screen.guide.tour.position == 1
        if key in ("colon", "question_mark", "space"):
            await press(pilot, key if key == "space" else "escape")
        await press(pilot, "t")
        assert screen.session.cursor.t == 5
        assert screen.guide.tour.position == 2


async def test_a_tour_writes_no_files_and_ends_nothing(
    hurried: None, debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = "screenshot a.svg\nexport a.cast\nquit\ngoto 4"
    async with debugger(synthetic(script=script), (80, 24)) as pilot:
        await press(pilot, "t")
        await finished(pilot)
        assert debugging(pilot).session.cursor.t == 4
        assert not pilot.app._exit
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("step\nstpe 3\nfoo\n", 'script:2:1: there is no command "stpe"; did you mean "step"?'),
        ("# nothing\n", "this scenario has no playback script"),
        ("", "this scenario has no playback script"),
        ("quit", "this scenario has no playback script"),
    ],
)
async def test_a_script_that_cannot_be_played_is_one_sentence(
    script: str, sentence: str, debugger, shown
) -> None:
    async with debugger(synthetic(script=script), (120, 40)) as pilot:
        await press(pilot, "t")
        assert sentence in shown(pilot).splitlines()[-1]
        assert not debugging(pilot).guide.is_touring
        await press(pilot, "right")
        assert debugging(pilot).session.cursor.t == 1


async def test_a_command_that_fails_on_tour_is_said_and_the_tour_goes_on(debugger, shown) -> None:
    async with debugger(synthetic(script="goto 99999\ngoto 4"), (120, 40)) as pilot:
        await press(pilot, "t")
        assert "t=99999: this sequence has t=0 to t=39" in shown(pilot).splitlines()[-1]
        async with asyncio.timeout(60):
            while debugging(pilot).session.cursor.t != 4:
                await settle()
