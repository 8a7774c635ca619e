"""Every key of the table does what help says, at every size."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot
from textual.widgets import OptionList

from lstmtui.trace import Traces
from lstmtui.tui.entries import entries
from lstmtui.tui.footer import footer_parts
from lstmtui.tui.keys import KEYS, LESSON, Key, bindings, label
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import SHARED
from lstmtui.tui.panels.time_axis import WHOLE_RUN
from lstmtui.tui.parts.player import SPEEDS
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.messages import MessagesScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.screens.why import WhyScreen
from lstmtui.tui.start import Choice, Start
from lstmtui.tui.theme import Look
from lstmtui.view import Cursor

START = Cursor("LSTM", t=150)


def begin(tmp_path) -> Start:
    """Two models; the first has layers, directions and sequences to choose from."""
    script = 'goto 2\nnote a\nnote b\nnote c\nask "d" = t'
    lstm = synthetic("lstm", 300, 6, layers=2, bidirectional=True, batch=2, name="LSTM", script=script)
    gru = synthetic("gru", 300, 4, name="GRU")
    rnn = synthetic("rnn_tanh", 300, 4, name="RNN")
    traces = Traces({"LSTM": lstm, "GRU": gru, "RNN": rnn})
    return Start(traces=traces, choices=[Choice(tmp_path / "a.toml", "A scenario")])


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


async def reset(pilot: Pilot[None]) -> None:
    """Everything as after the start, but in the middle of the run."""
    screen = debugging(pilot)
    screen.player.pause()
    screen.session.cursor, screen.message, screen.player.level = START, None, 2
    screen.set_focus(None)
    if screen.arrangement.zoomed is not None:
        screen.arrangement.zoomed = None
        screen.show_session()
    screen.show_session()
    await settle()


def moves(**expected: object) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """The key changes these fields of the cursor and no other."""

    async def check(pilot: Pilot[None], key: str) -> None:
        await press(pilot, key)
        assert debugging(pilot).session.cursor == Cursor(**{**vars(START), **expected})  # type: ignore[arg-type]

    return check


async def out(pilot: Pilot[None], key: str) -> None:
    debugging(pilot).run_text("into")
    await press(pilot, key)
    assert debugging(pilot).session.cursor == START


def pages(by: int) -> Callable[[Pilot[None], str], Awaitable[None]]:
    async def check(pilot: Pilot[None], key: str) -> None:
        gates = debugging(pilot).panels[2]
        before = gates.page  # type: ignore[attr-defined]
        await press(pilot, key)
        assert gates.page.number - before.number == by  # type: ignore[attr-defined]

    return check


async def goto(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    assert debugging(pilot).command_line.input.value == "goto "
    await press(pilot, "4", "2", "enter")
    assert debugging(pilot).session.cursor.t == 42
    assert not debugging(pilot).command_line.is_open


def opens_the_prompt(begun: str) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """The key opens the prompt with something typed; Escape closes it and nothing has happened."""

    async def check(pilot: Pilot[None], key: str) -> None:
        screen = debugging(pilot)
        await press(pilot, key)
        assert screen.command_line.is_open
        assert screen.focused is screen.command_line.input
        assert screen.command_line.input.value == begun
        await press(pilot, "escape")
        assert not screen.command_line.is_open
        assert screen.session.cursor == START

    return check


def runs_to(t: int) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """The key runs to a breakpoint."""

    async def check(pilot: Pilot[None], key: str) -> None:
        screen = debugging(pilot)
        screen.run_text(f"break at {t}")
        await press(pilot, key)
        assert screen.session.cursor.t == t
        assert screen.message is not None
        assert screen.message.kind == "breakpoint"
        for point in screen.session.breakpoints:
            screen.session.breakpoints.delete(point.id)

    return check


async def difference(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, key)
    assert screen.message is not None
    assert screen.message.text.startswith("there is nothing to subtract")
    screen.run_text("model GRU")
    screen.run_text("compare RNN")
    await press(pilot, key)
    assert screen.panels[4].title.startswith("Hidden state h − RNN")
    assert screen.panels[2].title == "Gates", "the RNN has no gates to subtract"
    await press(pilot, key)
    assert screen.panels[4].title.startswith("Hidden state h")
    assert "RNN" not in screen.panels[4].title
    screen.run_text("compare none")


async def lesson(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, key)
    guide = screen.lesson.guide
    assert guide.is_active
    assert (guide.position, screen.session.cursor.t) == (0, 2)
    await press(pilot, key)
    assert not guide.is_active
    assert screen.session.cursor == START


def turns(to: int) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """The key turns to a page from the second one."""

    async def check(pilot: Pilot[None], key: str) -> None:
        guide = debugging(pilot).lesson.guide
        await press(pilot, "t")
        await press(pilot, *["left", "left", "left"][: guide.position], "space")
        assert guide.position == 1
        await press(pilot, key)
        assert guide.position == to
        await press(pilot, "t")

    return check


async def plays_the_lesson(pilot: Pilot[None], key: str) -> None:
    guide = debugging(pilot).lesson.guide
    await press(pilot, "t", key)
    assert guide.plays
    await press(pilot, key)
    assert not guide.plays
    await press(pilot, key, "u")
    assert guide.is_active
    assert not guide.plays
    await press(pilot, "t")


async def answer(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, "t")
    while not screen.lesson.guide.waits_for_answer:
        await press(pilot, "space")
    await press(pilot, key)
    assert screen.command_line.input.value == "answer "
    await press(pilot, "1", "enter")
    assert not screen.lesson.guide.waits_for_answer
    await press(pilot, "t")


async def play(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    screen.player.level = len(SPEEDS) - 1
    await press(pilot, key)
    await asyncio.sleep(0.08)
    await press(pilot, key)
    reached = screen.session.cursor.t
    assert reached > START.t
    await asyncio.sleep(0.06)
    assert screen.session.cursor.t == reached


def changes_speed(by: int) -> Callable[[Pilot[None], str], Awaitable[None]]:
    async def check(pilot: Pilot[None], key: str) -> None:
        before = debugging(pilot).player.level
        await press(pilot, key)
        assert debugging(pilot).player.level == before + by
        assert debugging(pilot).message is not None

    return check


async def panel(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, key)
    wanted = next(panel for panel in screen.panels.values() if panel.key == key)
    assert screen.focused is wanted
    assert wanted.on_screen


def shares(expected: int, then: int = 1) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """A check of how many timesteps share a column after the key, where `then` did before it."""

    async def check(pilot: Pilot[None], key: str) -> None:
        axis = debugging(pilot).panels.axis
        axis.most_per_column = then
        debugging(pilot).show_session()
        await press(pilot, key)
        needed = -(-debugging(pilot).session.trace.steps // axis.place.timesteps)
        assert axis.page.per_column == min(expected, needed) > 1
        axis.most_per_column = 1

    return check


async def zoom(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    everywhere = screen.size == (120, 40)
    screen.action_panel(5)
    for number, panel in (
        screen.panels.items() if everywhere else [(1, screen.panels[1]), (5, screen.panels[5])]
    ):
        screen.action_panel(number)
        screen.arrangement.zoomed = None
        await press(pilot, key)
        assert [n for n, p in screen.panels.items() if p.on_screen] == [number]
        assert panel.outer_size.width == screen.size.width
        ruler = isinstance(panel, Lane)
        assert panel.outer_size.height == screen.size.height - 2 - ruler
        await press(pilot, key)
        in_place_of_5 = number if number in SHARED else 5
        assert {1, 2, in_place_of_5} <= {n for n, p in screen.panels.items() if p.on_screen}
        screen.action_panel(5)


def next_panel(after_1: int, by: int) -> Callable[[Pilot[None], str], Awaitable[None]]:
    async def check(pilot: Pilot[None], key: str) -> None:
        screen = debugging(pilot)
        visible = [n for n, p in sorted(screen.panels.items()) if p.on_screen]
        screen.action_panel(1)
        await press(pilot, key)
        assert screen.focused is screen.panels[visible[by]]

    return check


async def leave(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    screen.action_panel(2)
    screen.action_zoom()
    screen.action_play()
    await press(pilot, key)
    assert not screen.player.is_playing
    assert screen.arrangement.zoomed is not None
    await press(pilot, key)
    assert screen.arrangement.zoomed is None


async def pick(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    assert isinstance(pilot.app.screen, PickerScreen)
    assert pilot.app.screen.query_one(OptionList).option_count == 1
    await press(pilot, "escape")
    assert debugging(pilot).session.cursor == START


async def redraw(pilot: Pilot[None], key: str) -> None:
    driver = type(pilot.app._driver)
    driver.taken()  # type: ignore[union-attr, attr-defined]
    await press(pilot, key)
    await pilot.pause()
    assert len(driver.taken()) > pilot.app.size.area  # type: ignore[union-attr, attr-defined]


async def copy(pilot: Pilot[None], key: str) -> None:
    screen, driver = debugging(pilot), type(pilot.app._driver)
    screen.action_panel(4)
    await press(pilot, key)
    assert "\x1b]52;c;" in driver.taken()  # type: ignore[union-attr, attr-defined]
    assert screen.message is not None
    assert re.fullmatch(r"copied h at t=150, 6 numbers: \[(-?[\d.e-]+, )+…", screen.message.text)


async def help_(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    assert isinstance(pilot.app.screen, HelpScreen)
    await press(pilot, key)
    assert debugging(pilot).session.cursor == START


async def palette(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    await type_text(pilot, "unit 5\n")
    assert isinstance(pilot.app.screen, HelpScreen), "nothing has all of these words"
    await press(pilot, "escape", "escape")
    await press(pilot, key)
    await type_text(pilot, "first timestep\n")
    await settle()
    assert debugging(pilot).session.cursor.t == 0


async def quit_(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    assert pilot.app._exit


async def laws(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    message = debugging(pilot).message
    assert message is not None
    assert message.text.startswith("laws are tested where the model is")


async def why(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    screen = pilot.app.screen
    assert isinstance(screen, WhyScreen)
    cursor = screen.app.screen_stack[-2].session.cursor
    asked = screen.ledger.asked
    assert (asked.quantity, asked.t, asked.unit) == ("c", cursor.t, cursor.unit)
    await pilot.press("escape")


async def undo(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    screen.run_text("watch h[3]")
    await press(pilot, key)
    assert screen.message is not None
    assert screen.message.text == "undid: watch h[3]"
    assert not screen.session.watches


async def redo(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await undo(pilot, "ctrl+z")
    await press(pilot, key)
    assert [watch.text for watch in screen.session.watches] == ["h[3]"]
    screen.run_text("undo")


async def older(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, "l", "l", "l", key)
    assert screen.session.cursor == START
    await press(pilot, "space", "space")
    moved = screen.session.cursor
    screen.post_message(Panel.Picked(t=12, unit=3))
    await settle()
    assert (screen.session.cursor.t, screen.session.cursor.unit) == (12, 3)
    await press(pilot, key)
    assert screen.session.cursor == moved


async def newer(pilot: Pilot[None], key: str) -> None:
    screen = debugging(pilot)
    await press(pilot, "l", "l", "ctrl+o", key)
    assert screen.session.cursor.t == 152


async def messages(pilot: Pilot[None], key: str) -> None:
    debugging(pilot).run_text("unit 3")
    await press(pilot, key)
    assert isinstance(pilot.app.screen, MessagesScreen)
    said = "\n".join("".join(text for text, _ in line) for line in pilot.app.screen.text._lines)
    assert "t=150    unit 3" in said
    await press(pilot, "escape")


async def reconnect(pilot: Pilot[None], key: str) -> None:
    await press(pilot, key)
    message = debugging(pilot).message
    assert message is not None
    assert message.text == "nothing to reconnect: the arrays are here"


DOES: dict[str, Callable[[Pilot[None], str], Awaitable[None]]] = {
    "step": moves(t=151),
    "back": moves(t=149),
    "into": moves(stage=0),
    "out": out,
    "step_10": moves(t=160),
    "back_10": moves(t=140),
    "page_on": pages(1),
    "page_back": pages(-1),
    "first": moves(t=0),
    "last": moves(t=299),
    "goto": goto,
    "break": opens_the_prompt("break when "),
    "watch": opens_the_prompt("watch "),
    "copy": copy,
    "command": opens_the_prompt(""),
    "continue": runs_to(222),
    "rcontinue": runs_to(33),
    "undo": undo,
    "redo": redo,
    "older": older,
    "newer": newer,
    "messages": messages,
    "laws": laws,
    "why": why,
    "lesson": lesson,
    "lesson_next": turns(2),
    "lesson_back": turns(0),
    "lesson_play": plays_the_lesson,
    "lesson_enter": answer,
    "difference": difference,
    "play": play,
    "faster": changes_speed(1),
    "slower": changes_speed(-1),
    "unit": moves(unit=1),
    "unit_back": moves(unit=5),
    "model": moves(model="GRU"),
    "model_back": moves(model="RNN"),
    "layer": moves(layer=1),
    "direction": moves(direction="backward"),
    "batch": moves(batch=1),
    "panel_cell": panel,
    "panel_weights": panel,
    "panel": panel,
    "whole_run": shares(WHOLE_RUN),
    "together": shares(2),
    "apart": shares(2, then=4),
    "zoom": zoom,
    "next_panel": next_panel(2, 1),
    "previous_panel": next_panel(9, -1),
    "leave": leave,
    "open": pick,
    "redraw": redraw,
    "reconnect": reconnect,
    "help": help_,
    "palette": palette,
    "quit": quit_,
}


SOME = [KEYS[at : at + 5] for at in range(0, len(KEYS), 5)]
"""The rows of the table, a few for each app, as opening one takes longer than a key."""


@pytest.mark.parametrize("keys", SOME, ids=lambda keys: " ".join(key.id for key in keys))
async def test_every_key_does_what_help_says(keys: Sequence[Key], debugger, tmp_path) -> None:
    async with debugger(begin(tmp_path)) as pilot:
        for key in keys:
            for name in key.keys:
                if not pilot.app._exit:
                    await reset(pilot)
                    await DOES[key.id](pilot, name)
        assert pilot.app._exit == (keys[-1].id == "quit")


async def test_ctrl_c_quits(debugger, tmp_path) -> None:
    async with debugger(begin(tmp_path)) as pilot:
        await quit_(pilot, "ctrl+c")


PLACED = ("page_on", "page_back", "goto", "panel", "zoom", "next_panel", "previous_panel", "help")
"""The rows that depend on where things are on screen."""


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (60, 20)], ids=str)
async def test_keys_that_depend_on_the_layout_work_at_every_size(
    size: tuple[int, int], debugger, tmp_path
) -> None:
    async with debugger(begin(tmp_path), size) as pilot:
        for key in KEYS:
            every = key.id == "panel" and size == (60, 20)
            for name in (key.keys if every else key.keys[:1]) if key.id in PLACED else ():
                await reset(pilot)
                await DOES[key.id](pilot, name)


def test_no_key_is_bound_twice_but_by_a_lesson_whose_binding_comes_first() -> None:
    ordinary = [name for key in KEYS if key.group != LESSON for name in key.keys]
    turning = [name for key in KEYS if key.group == LESSON for name in key.keys]
    assert len(ordinary) == len(set(ordinary))
    assert len(turning) == len(set(turning))
    assert [binding.key for binding in bindings()][: len(turning)] == turning


def test_help_names_every_key_and_what_it_does() -> None:
    page = "\n".join(entry.text for entry in entries(Look(), None, (), print))
    for key in KEYS:
        assert key.help in page
        assert label(key) in page


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("ascii", [False, True])
def test_the_footer_fits_and_always_offers_help_and_quit(width: int, ascii: bool) -> None:
    text = "".join(text for spans, _ in footer_parts(None, None, width, ascii=ascii) for text, _ in spans)
    assert len(text.rstrip()) <= width
    assert "help" in text
    assert "quit" in text
    assert "step" in text
    assert not ascii or text.isascii()
