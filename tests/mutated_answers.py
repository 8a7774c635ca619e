"""A debugger on an agent that lies: each answer may differ from the truth in one detail of any kind.

Run from the root of the repository: `python tests/mutated_answers.py 10000`. The screen must stay, no panel
and no command may meet an exception that is no sentence, and no control character may reach the terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import sys
import tempfile
import threading
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from keyboard import settle
from remote.hostile import MutatingLink
from remote.pairs import connected
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.errors import Cancelled, UserError
from lstmtui.remote.wire.messages import Open
from lstmtui.trace import Traces
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.parts import command_runner
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Opening, Start
from lstmtui.view import NotReady

SIZES = ((80, 24), (120, 40), (160, 50))
LINES = (
    *("step", "step", "step 3", "back", "goto 7", "first", "last", "into", "into", "out", "unit 2", "unit 0"),
    *("model a", "model b", "layer 1", "layer 0", "direction backward", "direction forward", "continue"),
    *("watch norm(c)", "watch h", "unwatch 1", "break when min(h) < 0.1 note low", "break at 9", "rcontinue"),
    *("print h", "print c[9]", "expect all(h < 2)", "compare a", "compare none", "first-bad", "diagnose"),
    *("first-bad backward", "set h[0] = 1 from 3", "set h = nan from 7", "reset", "loss at 5 unit 0"),
    "export run.csv",
)
LIES_OF_A_RUN = 150


async def lie(seed: int, count: int) -> Counter[str]:
    """Debug under so many lies.

    Raises:
        AssertionError: an exception that is no sentence was met, with what it was.
    """
    lies: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "t"
        a = synthetic("lstm", 40, 6, layers=2, bidirectional=True, name="a")
        Traces({"a": a, "b": synthetic("gru", 40, 5, layers=2, bidirectional=True, name="b")}).save(saved)
        while lies.total() < count:
            try:
                lies += await _lie_once(seed, min(LIES_OF_A_RUN, count - lies.total()), saved)
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
            seed += 1
    return lies


async def _lie_once(seed: int, count: int, saved: Path) -> Counter[str]:
    chance, link = Random(seed), MutatingLink(seed)
    problems: list[BaseException] = []
    execute = command_runner.execute
    command_runner.execute = _watched(execute, problems)
    try:
        with connected(link) as client:
            client.impatient = threading.get_ident()
            opening = Opening("t", functools.partial(client.open, Open(str(saved))))
            app = LstmtuiApp(Start(opening=opening, engine=client, backend=client))
            async with app.run_test(size=chance.choice(SIZES)) as pilot:
                screen = await _opened(pilot)
                for panel in screen.panels.values():
                    panel.show = _watched(panel.show, problems)  # type: ignore[method-assign]
                while link.lies.total() < count:
                    await _act(screen, chance, pilot)
                    assert screen.is_attached
                    if problems:
                        raise AssertionError("an answer was shown that is none") from problems[0]
    finally:
        command_runner.execute = execute
    return link.lies


async def _act(screen: DebuggerScreen, chance: Random, pilot: Pilot[None]) -> None:
    if chance.random() < 0.2:
        screen.action_panel(chance.choice(list(screen.panels)))
    else:
        screen.run_text(chance.choice(LINES))
    async with asyncio.timeout(60):
        while screen.runner.running is not None:
            await settle()
    await pilot.pause()


def _watched(function: Any, problems: list[BaseException]) -> Any:
    """The same function; what it raises that is no sentence is noted."""

    @functools.wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except (NotReady, Cancelled, UserError):
            raise
        except Exception as error:
            problems.append(error)
            raise

    return watched


async def _opened(pilot: Pilot[None]) -> DebuggerScreen:
    async with asyncio.timeout(60):
        while not isinstance(pilot.app.screen, DebuggerScreen):
            await settle()
    return pilot.app.screen


def main() -> None:
    """Lie, and say about what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000, help="lies")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # numbers that are lies overflow
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LSTMTUI_STATE_DIR"] = folder
        os.chdir(folder)
        lies = asyncio.run(lie(arguments.seed, arguments.count))
    for name, times in lies.most_common():
        print(f"{times:8,}  {name}")
    print(f"{lies.total():8,}  lies; no failure")


if __name__ == "__main__":
    sys.exit(main())
