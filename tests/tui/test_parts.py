"""The parts of the debugger's screen, each on its own: in a screen that has nothing else."""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from synthetic import synthetic
from textual import on
from textual.app import App, ComposeResult
from textual.screen import Screen

import lstmtui.tui
from lstmtui.capture.engine import RerunEngine
from lstmtui.session import Command, Outcome, Session, Stop, WhatIfs, parse_line
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.panels.panel_set import PANELS, SHARED, PanelSet
from lstmtui.tui.parts.arrangement import Arrangement
from lstmtui.tui.parts.command_runner import CommandRunner, Executed
from lstmtui.tui.parts.dialogue import Dialogue
from lstmtui.tui.parts.player import SPEEDS, Player
from lstmtui.tui.parts.reconnecting import reconnect
from lstmtui.tui.theme import Look


def carry_out(command: Command, outcome: Outcome) -> Outcome:
    """There is nothing that only a front end can do."""
    return outcome


class Bare(Screen[None]):
    """A screen with a prompt and panels, which hears when a command is done."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(synthetic())
        self.said: list[Stop | None] = []
        self.finished: list[tuple[str, Outcome]] = []
        self.draws = 0
        self.prompt = CommandLine(Look(), lambda text: [], self.enter)
        self.dialogue = Dialogue(
            self.prompt, self.said.append, self.draw, lambda: self.runner.running is not None
        )
        self.runner = CommandRunner(
            self.session, self, self.dialogue, lambda command, outcome: outcome, self.finish
        )
        self.panels = PanelSet(Look())

    def compose(self) -> ComposeResult:
        yield from self.panels.compose()
        yield self.prompt

    def enter(self, text: str) -> None:
        """A line was entered at the prompt."""
        with self.dialogue.answers():
            self.runner.start(command(text))

    def is_busy(self) -> bool:
        """Whether a command runs."""
        return self.runner.running is not None

    def draw(self) -> None:
        """Something was told."""
        self.draws += 1

    def finish(self, command: Command, outcome: Outcome) -> None:
        """A command is done."""
        self.finished.append((command.text, outcome))
        self.dialogue.show(outcome)

    @on(Executed)
    def _executed(self, event: Executed) -> None:
        self.runner.executed(event)


@pytest.fixture
async def bare() -> AsyncIterator[Bare]:
    """A bare screen that is on."""
    app = App[None]()
    async with app.run_test(size=(120, 40)):
        screen = Bare()
        await app.push_screen(screen)
        yield screen


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def command(text: str) -> Command:
    parsed = parse_line(text)
    assert parsed is not None
    return parsed


async def test_a_command_that_reads_nothing_elsewhere_is_done_at_once(bare: Bare) -> None:
    bare.runner.start(command("step 2"))
    assert bare.session.cursor.t == 2
    assert bare.runner.running is None
    assert bare.said == [None]
    bare.runner.start(command("goto 9999"))
    assert bare.said[-1] is not None
    assert bare.said[-1].kind == "refused"


async def test_commands_wait_for_one_that_takes_long_in_their_order(
    bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmtui.tui.parts.command_runner.is_small", lambda session: False)
    monkeypatch.setattr("lstmtui.tui.parts.command_runner.MOST_WAITING", 2)
    let_go = threading.Event()
    monkeypatch.setattr(
        "lstmtui.tui.parts.command_runner.execute",
        lambda session, command: Outcome(let_go.wait(10), command.text),
    )
    for text in ("first-bad", "step", "back", "last"):
        bare.runner.start(command(text))
    assert bare.runner.running == command("first-bad")
    assert bare.said[-1] == Stop("refused", "still running: first-bad")
    let_go.set()
    await until(lambda: len(bare.finished) == 3)
    assert [text for text, _ in bare.finished] == ["first-bad", "step", "back"]


async def test_a_command_that_is_given_up_says_so_and_takes_those_that_wait_along(
    bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    def execute(session: Session, command: Command) -> Outcome:
        assert stopped.wait(10)
        assert session.what_ifs is not None
        assert session.what_ifs.progress is not None
        session.what_ifs.progress(1, 2)
        return Outcome(True, "nobody stopped it")

    monkeypatch.setattr("lstmtui.tui.parts.command_runner.is_small", lambda session: False)
    monkeypatch.setattr("lstmtui.tui.parts.command_runner.execute", execute)
    bare.session.what_ifs = WhatIfs(RerunEngine(), bare.session.traces)
    bare.runner.start(command("diagnose"))
    bare.runner.start(command("step"))
    bare.runner.stop()
    stopped.set()
    await until(lambda: bare.runner.running is None)
    assert [outcome.text for _, outcome in bare.finished] == ["stopped: diagnose"]
    assert bare.session.cursor.t == 0


async def test_only_what_was_entered_at_the_prompt_is_answered_there(bare: Bare) -> None:
    bare.prompt.open("goto 9999")
    bare.runner.start(command("goto 9998"))
    assert not bare.prompt.answer.display
    bare.prompt.enter()
    assert bare.prompt.answer.display
    assert bare.prompt.is_open
    bare.prompt.input.value = "step"
    bare.prompt.enter()
    assert not bare.prompt.is_open


async def test_a_player_steps_by_the_clock_and_waits_for_the_screen(bare: Bare) -> None:
    behind = False
    player = Player(bare.session, bare, lambda: behind, bare.dialogue.show)
    player.faster(len(SPEEDS))
    assert player.speed == SPEEDS[-1]
    player.toggle()
    await until(lambda: bare.session.cursor.t > 1)
    behind = True
    t = bare.session.cursor.t
    await asyncio.sleep(0.1)
    assert (bare.session.cursor.t, player.is_playing) == (t, True)
    behind = False
    bare.session.goto(bare.session.last_t - 1)
    await until(lambda: not player.is_playing)
    assert bare.said[-1] is not None
    assert bare.said[-1].kind == "end"


async def test_the_zoomed_panel_has_the_screen_and_leaves_it(bare: Bare) -> None:
    arrangement = Arrangement(
        bare.session, bare, bare.panels, lambda: arrangement.arrange(), bare.dialogue.show
    )
    arrangement.arrange()
    everywhere = {n for n, panel in bare.panels.items() if panel.display}
    assert everywhere == set(bare.panels.fitting(bare.session)) - {0, *SHARED[1:]}
    arrangement.focus(0)
    assert {n for n, panel in bare.panels.items() if panel.display} == {0}
    arrangement.zoom()
    assert {n for n, panel in bare.panels.items() if panel.display} == everywhere
    arrangement.focus(99)
    assert bare.said[-1] == Stop("refused", "no panel 99 here; there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, i, v")


def test_a_link_that_is_up_is_not_tried_again() -> None:
    outcome = reconnect(Session(synthetic()))
    assert (outcome.ok, outcome.text) == (False, "nothing to reconnect: the arrays are here")


def test_every_panel_has_a_number_of_its_own() -> None:
    assert sorted(PanelSet(Look())) == sorted(kind.NUMBER for kind in PANELS) == list(range(len(PANELS)))


def test_parts_stay_small() -> None:
    for path in Path(lstmtui.tui.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert source.count("\n") <= 300, path
        for kind in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
            methods = [n for n in kind.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
            assert sum(not method.name.startswith("_") for method in methods) <= 25, kind.name
