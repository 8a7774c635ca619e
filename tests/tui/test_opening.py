"""From the list to the debugger: picking, recording with progress, cancelling, and failing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.errors import UserError
from lstmtui.session.finished_lessons import keep_finished
from lstmtui.trace import Trace
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.opening import OpeningScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.start import COURSE_GROUP, Choice, Opening, Progress, Start

CHOICES = [Choice(Path("one.toml"), "The first"), Choice(Path("two.toml"), "The [bold]second[/bold]", "note")]


async def until(pilot: Pilot[None], kind: type, seconds: float = 60) -> None:
    """Wait for a screen of this kind."""
    end = time.monotonic() + seconds
    while not isinstance(pilot.app.screen, kind):
        assert time.monotonic() < end, f"still {pilot.app.screen}"
        await settle()
    await pilot.pause()


class Work:
    """Something slow to open: it reports, and waits to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.cancelled = False

    def __call__(self, progress: Progress) -> Trace:
        try:
            while not self.go.wait(0.01):
                progress("GRU", 1_234, 20_000)
        except BaseException:
            self.cancelled = True
            raise
        return synthetic(title="Recorded")


async def test_picked_recorded_and_debugged(debugger, shown) -> None:
    work, asked = Work(), []

    def opener(path: Path) -> Opening:
        asked.append(path.name)
        return Opening("Two of them", work)

    async with debugger(Start(choices=CHOICES, opener=opener), (80, 24)) as pilot:
        assert isinstance(pilot.app.screen, PickerScreen)
        assert "The [bold]second[/bold]" in shown(pilot)
        await press(pilot, "j", "enter")
        await until(pilot, OpeningScreen)
        assert asked == ["two.toml"]
        await pilot.pause(0.15)
        assert "Recording The [bold]second[/bold]" in shown(pilot)
        assert "1,234 of 20,000 timesteps" in shown(pilot)
        work.go.set()
        await until(pilot, DebuggerScreen)
        assert "t=0/39" in shown(pilot)


async def test_cancelling_stops_the_work_and_goes_back_to_the_list(debugger) -> None:
    work = Work()
    start = Start(opening=Opening("Slow", work), choices=CHOICES, opener=lambda path: Opening("Slow", work))
    async with debugger(start, (80, 24)) as pilot:
        await until(pilot, OpeningScreen)
        await press(pilot, "escape")
        await until(pilot, PickerScreen)
        assert work.cancelled


async def test_what_cannot_be_recorded_says_why_and_comes_back(debugger, shown) -> None:
    def work(progress: Progress) -> Trace:
        raise UserError("one.toml:3: cell: no such cell \x1b]0;x\x07; did you mean [red]gru[/red]?")

    start = Start(choices=CHOICES, opener=lambda path: Opening("The first", work))
    async with debugger(start, (80, 24)) as pilot:
        await press(pilot, "enter")
        await until(pilot, OpeningScreen)
        await pilot.pause(0.05)
        text = shown(pilot)
        assert "The first could not be opened" in text
        assert "did you mean [red]gru[/red]?" in " ".join(text.replace("│", " ").split())
        assert "\x1b" not in text
        await press(pilot, "enter")
        await until(pilot, PickerScreen)


async def test_a_scenario_with_mistakes_is_shown_not_raised(debugger, shown) -> None:
    def opener(path: Path) -> Opening:
        raise UserError("one.toml:3: cell: no such cell")

    async with debugger(Start(choices=CHOICES, opener=opener), (80, 24)) as pilot:
        await press(pilot, "enter")
        await pilot.pause(0.05)
        assert "one.toml:3: cell: no such cell" in shown(pilot)
        await press(pilot, "escape")
        await until(pilot, PickerScreen)


async def test_torch_running_out_of_memory_is_a_message(debugger, shown) -> None:
    def work(progress: Progress) -> Trace:
        raise RuntimeError("CUDA out of memory")

    async with debugger(Start(opening=Opening("Large", work)), (80, 24)) as pilot:
        await pilot.pause(0.05)
        assert "CUDA out of memory" in shown(pilot)
        await press(pilot, "escape")
        assert pilot.app._exit


async def test_leaving_the_list_quits_where_nothing_is_open_and_returns_where_something_is(debugger) -> None:
    async with debugger(Start(choices=CHOICES), (80, 24)) as pilot:
        await press(pilot, "q")
        assert pilot.app._exit
    async with debugger(Start(traces=synthetic(), choices=CHOICES), (80, 24)) as pilot:
        await press(pilot, "l", "p")
        await until(pilot, PickerScreen)
        await press(pilot, "q")
        await until(pilot, DebuggerScreen)
        assert pilot.app.screen.session.cursor.t == 1
        assert not pilot.app._exit


@pytest.mark.parametrize("ascii", [False, True])
async def test_further_lines_of_a_long_title_begin_where_its_first_one_does(
    ascii: bool, debugger, shown, tmp_path: Path
) -> None:
    choices = [Choice(tmp_path / "one.toml", f"Lesson 1: {'a gap ' * 20}bridged", "one", COURSE_GROUP)]
    start = Start(choices=choices, opener=lambda path: Opening("one", Work()))
    async with debugger(start, (80, 24), ascii=ascii) as pilot:
        first, second = (line for line in shown(pilot).splitlines()[:8] if "gap" in line or "bridged" in line)
        assert second[first.index("Lesson")] != " "
        assert not second[: first.index("Lesson")].strip(" │|")


async def test_the_list_has_groups_ticks_a_preview_and_a_filter(
    debugger, shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    keep_finished(tmp_path / "one.toml")
    choices = [
        Choice(tmp_path / "one.toml", "Lesson 1", "one", COURSE_GROUP, lambda: "# Head\n\nof **one**"),
        Choice(tmp_path / "two.toml", "Lesson 2", "two", COURSE_GROUP, lambda: "of two"),
        Choice(tmp_path / "x.toml", "Another", "x", "Examples"),
    ]
    async with debugger(
        Start(choices=choices, opener=lambda path: Opening("one", Work())), (80, 24)
    ) as pilot:
        page = shown(pilot)
        assert (
            page.index("Course") < page.index("✓ Lesson 1") < page.index("Lesson 2") < page.index("Examples")
        )
        assert page.count("✓") == 1
        assert "of two" in page, "the first lesson that has not been read is highlighted"
        await press(pilot, "k")
        assert "of one" in shown(pilot)
        await press(pilot, "slash")
        await type_text(pilot, "ano")
        assert "Lesson" not in shown(pilot)
        await press(pilot, "escape")
        assert "Lesson 1" in shown(pilot)
        await press(pilot, "slash")
        await type_text(pilot, "two\n")
        await press(pilot, "enter")
        await until(pilot, OpeningScreen)
