"""Sending only the differences draws exactly what sending everything draws, and needs far fewer bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keyboard import settle
from synthetic import synthetic
from terminal import Picture, Terminal
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from lstmtui.trace import Traces
from lstmtui.tui.screens.debugger import DebuggerScreen

SIZES = ((120, 40), (80, 24), (60, 20), (100, 30))


def traces() -> Traces:
    """A recurrent model of each shape, with words of wide and combined characters."""
    words = ("漢字", "e\u0301", "a", "🙂")
    tokens = np.random.default_rng(0).integers(0, 4, (90, 2))
    options: dict[str, Any] = {"labels": words, "extras": {"tokens": tokens}, "batch": 2, "input_size": 4}
    first = synthetic("lstm", 90, 12, layers=2, bidirectional=True, name="LSTM 漢字", **options)
    first.values("f")[7:9] = np.nan
    gru = synthetic(
        "gru", 90, 5, name="GRU", title="広い文字 and narrow ones", notes="# 見出し\n\ntext 🙂 text"
    )
    return Traces({"LSTM 漢字": first, "GRU": gru, "RNN": synthetic("rnn_relu", 90, 5, name="RNN")})


ACTIONS: tuple[Callable[[DebuggerScreen], None], ...] = (
    lambda screen: screen.run_text("step 1"),
    lambda screen: screen.run_text("back 1"),
    lambda screen: screen.run_text("step 10"),
    lambda screen: screen.run_text("into"),
    lambda screen: screen.run_text("into"),
    lambda screen: screen.run_text("out"),
    lambda screen: screen.action_page(1),
    lambda screen: screen.action_page(-1),
    lambda screen: screen.run_text("last"),
    lambda screen: screen.action_select("unit", 3),
    lambda screen: screen.action_select("model", 1),
    lambda screen: screen.action_select("batch", 1),
    lambda screen: screen.action_select("layer", 1),
    lambda screen: screen.action_select("direction", 1),
    lambda screen: screen.action_zoom(),
    lambda screen: screen.action_panel(random.Random(screen.session.cursor.t).choice((1, 3, 5, 8, 9))),
    lambda screen: screen.action_leave(),
    lambda screen: screen.app.action_help(),
    lambda screen: screen.action_command("goto "),
    lambda screen: screen.run_text("print f"),
)


async def resize(pilot: Pilot[None], terminal: Terminal, size: tuple[int, int]) -> None:
    """Another size, as a terminal emulator tells it."""
    terminal.resize(*size)
    pilot.app._driver._size = size  # type: ignore[union-attr]
    pilot.app.post_message(events.Resize(Size(*size), Size(*size)))
    await pilot.pause(0.02)


def everything(pilot: Pilot[None]) -> Picture:
    """What the terminal would show had Textual sent the whole screen."""
    app, screen = pilot.app, pilot.app.screen
    update = screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    terminal = Terminal(*app.size)
    terminal.feed(update.render_segments(app.console))
    return terminal.picture


async def walk(debugger, driver, seed: int, steps: int = 18) -> Picture:
    """A random walk, looked at after every step; what the terminal shows in the end."""
    chosen = random.Random(seed)
    terminal = Terminal(*SIZES[0])
    async with debugger(traces(), SIZES[0]) as pilot:
        # It blinks by the clock, also between what was written and what is looked at.
        pilot.app.screen.command_line.input.cursor_blink = False
        for step in range(steps):
            screen = pilot.app.screen
            if step % 6 == 5:
                await resize(pilot, terminal, SIZES[(step // 6 + 1) % 4])
            elif isinstance(screen, DebuggerScreen):
                chosen.choice(ACTIONS)(screen)
            else:
                screen.dismiss()
            await pilot.pause()
            await settle()
            terminal.feed(driver.taken())
            for y, (drawn, expected) in enumerate(zip(terminal.picture, everything(pilot), strict=True)):
                assert drawn == expected, f"step {step}, row {y}"
    return terminal.picture


@pytest.mark.parametrize("depth", ["truecolor", "256", "16", "none"])
async def test_differences_draw_the_same_screen_as_everything(
    depth: str, debugger, capture_driver, colours
) -> None:
    colours(depth)
    await walk(debugger, capture_driver, ["truecolor", "256", "16", "none"].index(depth))


@pytest.mark.parametrize("depth", ["truecolor", "16"])
async def test_switched_off_everything_is_sent_and_shows_the_same(
    depth: str, debugger, capture_driver, monkeypatch, colours
) -> None:
    colours(depth)
    pictures, sizes = [], []
    for switch in ("0", "1"):
        monkeypatch.setenv("LSTMTUI_DIFFERENCE", switch)
        terminal = Terminal(120, 40)
        async with debugger(traces()) as pilot:
            for action in (*ACTIONS[:13], lambda screen: screen.app.action_help()):
                action(pilot.app.screen)
                await pilot.pause()
            await settle()
            sizes.append(len(output := capture_driver.taken()))
            terminal.feed(output)
            pictures.append(terminal.picture)
    assert pictures[0] == pictures[1]
    assert sizes[1] * 2 < sizes[0]


async def test_redraw_mends_a_screen_that_something_else_wrote_on(debugger, capture_driver) -> None:
    terminal = Terminal(120, 40)
    async with debugger(traces()) as pilot:
        await settle()
        terminal.feed(capture_driver.taken())
        before = terminal.picture
        terminal.feed("\x1b[5;5Hbroadcast message from root\x1b[12;1H\x1b[K")
        assert terminal.picture != before
        pilot.app.action_redraw()
        await pilot.pause()
        terminal.feed(capture_driver.taken())
        assert terminal.picture == before


async def test_a_resize_to_the_same_size_draws_everything_again(debugger, capture_driver) -> None:
    terminal = Terminal(120, 40)
    async with debugger(traces()) as pilot:
        await settle()
        terminal.feed(capture_driver.taken())
        before = terminal.picture
        terminal.resize(100, 30)
        await resize(pilot, terminal, (120, 40))
        await settle()
        terminal.feed(capture_driver.taken())
        assert terminal.picture == before


async def test_nothing_changed_writes_nothing(debugger, capture_driver) -> None:
    async with debugger(traces()) as pilot:
        capture_driver.taken()
        pilot.app.screen.refresh()
        await pilot.pause()
        assert re.sub(r"\x1b\[\d+;\d+H", "", capture_driver.taken()) == ""
