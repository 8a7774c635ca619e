"""A random walk over everything the program can be sent: keys, clicks, pastes, sizes, in bursts.

Run from the root of the repository: `python tests/random_walk.py 20000`. After each burst nothing may have
been raised; now and then it is looked whether the open prompt has the keyboard, and whether ? opens the
help. A program that ends is started anew; a failure says after which seed and events.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from typing import TypeAlias

from keyboard import settle
from remote_backends import Slow
from source_traces import source_trace
from synthetic import synthetic
from textual._xterm_parser import XTermParser
from textual.events import Key, Resize
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input

from lstmtui.errors import UserError
from lstmtui.trace import Trace, Traces
from lstmtui.trace.source import Raised
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.topic import PanelHelpScreen
from lstmtui.tui.start import Choice, Opening, Progress, Start

HELP = (HelpScreen, PanelHelpScreen)
Event: TypeAlias = str | tuple[int, int]
"""The bytes that a terminal sends, or its new size."""

LARGEST = (300, 100)
SIZES = ((1, 1), (2, 2), (1, 100), (300, 1), (20, 5), (60, 20), (80, 24), (80, 24), (120, 40), LARGEST)
KEYS = (
    *"lnshjkgbwcCytauUmMLdBDz1234567890 +-=^$<>:p?R[]xeHy/",
    *("\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\x1b[Z", "\x1bOP"),
    *("\t", "\r", "\x1b", "\x7f", "\x0c", "\x01", "\x1b[1;2C", "\x1b[1;2D"),
)
ENDS = ("q", "\x03", "\x11", ":quit\r")
LINES = (
    *("goto 7", "goto -1", "goto 99", "last", "into", "out", "layer 1", "direction backward", "batch 1"),
    *("unit 3", "model small", "model big", "break when h[0] > 0.1", "break at 4", "breaks", "delete 1"),
    *("continue", "rcontinue", "watch norm(h)", "watch f_", "unwatch 1", "print c", "print prev(c)[1]"),
    *("set f[1] = 1.0 from 2 to 4", "set h = nan from 7", "unset", "reset", "loss at 3", "expect t < 0"),
    *('ask "how much?" = h[0]', 'ask "which?" choose a when t > 3 | b', "answer 1", "hide h", "reveal"),
    *("compare small", "compare none", "note hello", "pause 0", "export run.csv", "first-bad", "diagnose"),
    *(
        "print S[1, 0, 2]",
        "print S[1]",
        "break when max(f) > 0.9",
        "watch norm(dnew_c)",
        "first-bad backward",
    ),
    *("screenshot made.svg", "prnt c", "print [bold]x[/]"),
)
PASTES = ("print c", "two\nlines\r\n", "漢字 \u202e\x07", "[red]x", "x" * 3000, "")
SCRIPT = "goto 3\nnote see\nbreak at 9\ncontinue\nwatch norm(h)\n"


class Grows:
    """A trace that is recorded while it is looked at."""

    def __init__(self) -> None:
        self.steps = 10

    @property
    def state(self) -> str:
        """As `lstmtui.trace.growth.Follower` has it."""
        return "live" if self.steps < 60 else "ended at t=59"

    def poll(self) -> Trace | None:
        """Ten more timesteps, up to sixty."""
        if self.steps >= 60:
            return None
        self.steps += 10
        return synthetic(steps=self.steps, name="grows")


def two_runs() -> Traces:
    """An LSTM in two layers and both directions with a tour, and a GRU beside it."""
    wide = {"layers": 2, "bidirectional": True, "batch": 2}
    big = synthetic("lstm", 40, 9, name="big", script=SCRIPT, notes="# Notes\n\n* one\n* two", **wide)  # type: ignore[arg-type]
    return Traces({"big": big, "small": synthetic("gru", 30, 4, batch=2, name="small", script=SCRIPT)})


def recorded() -> Traces:
    """Runs of modules, for which what-ifs can be worked out."""
    import torch

    import lstmtui

    torch.manual_seed(0)
    runs = {
        name: lstmtui.record(lstmtui.Recurrent(cell, 3, 4), torch.randn(12, 1, 3), name=name)
        for name, cell in (("big", "lstm"), ("small", "gru"))
    }
    return Traces(runs)


def opener(path: Path) -> Opening:
    """A choice of the list: one opens at once, one slowly, one fails while it opens and one before."""

    def work(progress: Progress) -> Trace | Traces:
        for done in range({"slow": 40}.get(path.name, 0)):
            progress("LSTM", done, 40)
            time.sleep(0.005)
        if path.name == "fails":
            raise UserError("fails:1: cell: no such cell\n" * 20)
        return recorded() if path.name == "recorded" else two_runs()

    if path.name == "wrong":
        raise UserError("wrong:1: this is no scenario")
    return Opening(path.name, work)


def start(kind: str) -> Start:
    """What the program begins with, one of `STARTS`."""
    from lstmtui.capture.engine import RerunEngine

    choices = [Choice(Path(name), name.title(), "note") for name in ("quick", "slow", "fails", "wrong")]
    choices += [Choice(Path("recorded"), "Recorded")]
    always = {"choices": choices, "opener": opener, "engine": RerunEngine()}
    match kind:
        case "opening":
            return Start(opening=opener(Path("slow")), **always)  # type: ignore[arg-type]
        case "runs":
            return Start(traces=two_runs(), **always)  # type: ignore[arg-type]
        case "grows":
            return Start(traces=synthetic(steps=10, name="grows"), follower=Grows(), follow=True, **always)  # type: ignore[arg-type]
        case "recorded":
            return Start(traces=recorded(), **always)  # type: ignore[arg-type]
        case "source":
            code = source_trace(steps=20, raised=Raised(0, 19, 34, "ValueError: no"), script=SCRIPT)
            code.arrays["0/forward/S"][9, 1, 7] = float("nan")  # type: ignore[index]
            return Start(traces=Traces({"big": code, "small": synthetic("gru", 20, 4, batch=2)}), **always)  # type: ignore[arg-type]
        case "elsewhere" | "source elsewhere":
            far = Slow()
            session = far.session(two_runs() if kind == "elsewhere" else Traces({"big": source_trace()}))
            far.holds = True
            return Start(traces=Traces(session.traces), backend=far)
    return Start(**always)  # type: ignore[arg-type]


STARTS = ("list", "opening", "runs", "grows", "recorded", "elsewhere", "source", "source elsewhere")


def events(dice: Random, size: tuple[int, int]) -> Iterator[Event]:
    """Events without end; what is clicked lies within the size that the terminal has by then."""
    while True:
        x, y = dice.randint(1, size[0]), dice.randint(1, size[1])
        click = f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m"
        match dice.choices(range(10), (50, 9, 6, 3, 3, 10, 3, 4, 2, 0.4))[0]:
            case 0:
                yield dice.choice(KEYS)
            case 1:
                yield click
            case 2:
                yield click * 2
            case 3:  # the wheel, and the pointer passing by
                yield f"\x1b[<{dice.choice((64, 65, 35))};{x};{y}M"
            case 4:  # a drag
                yield f"\x1b[<0;{x};{y}M\x1b[<32;{dice.randint(1, size[0])};{y}M\x1b[<0;1;{y}m"
            case 5:
                yield f":{dice.choice(LINES)}" + dice.choice(("\r", "\r", "\r", "\t", "\x1b", ""))
            case 6:
                yield f"\x1b[200~{dice.choice(PASTES)}\x1b[201~"
            case 7:
                size = dice.choice((*SIZES, (dice.randint(1, LARGEST[0]), dice.randint(1, LARGEST[1]))))
                yield size
            case 8:  # the terminal's window loses or gets the focus
                yield dice.choice(("\x1b[O", "\x1b[I"))
            case _:
                yield dice.choice(ENDS)


class Walker:
    """Sends events to a program that is under test, and looks whether it is alive.

    Args:
        pilot: of the running app.
    """

    def __init__(self, pilot: Pilot[None]) -> None:
        self._app, self._parser = pilot.app, XTermParser()

    def send(self, event: Event) -> None:
        """What a terminal would send; nothing waits for it to be taken."""
        driver = self._app._driver
        assert driver is not None
        if isinstance(event, tuple):
            driver._size = event
            self._app.post_message(Resize(Size(*event), Size(*event)))
        else:
            text = event.removesuffix("\x1b")
            for message in self._parser.feed(text) if text else ():  # no text would be the end of input
                self._to(message)
            if event.endswith("\x1b"):  # by itself, which the parser only knows after a while
                self._to(Key("escape", None))

    def _to(self, message: Message) -> None:
        message.set_sender(self._app)
        assert self._app._driver is not None
        self._app._driver.process_message(message)

    async def rest(self) -> None:
        """Wait until the app has taken what was sent."""
        async with asyncio.timeout(60):
            await settle()
            while not (self._app._message_queue.empty() or self._app._exit):
                await settle()
            far = getattr(self._app, "start").backend  # noqa: B009 - an app of ours
            if isinstance(far, Slow):
                far.deliver()
        assert self._app._exception is None

    async def assert_alive(self) -> None:
        """The open prompt has the keyboard, and ? opens the help, from which there is a way back."""
        for _ in range(5):
            screen = self._app.screen
            if isinstance(screen, DebuggerScreen):
                line = screen.command_line
                assert (screen.focused is line.input) == line.is_open, f"{screen.focused} has the keyboard"
                if not line.is_open:
                    break
            elif not (isinstance(screen, HELP) or isinstance(screen.focused, Input)):
                break
            self.send("\x1b")
            await self.rest()
        assert not isinstance(self._app.screen, HELP), "there is no way out of the help"
        before = self._app.screen
        self.send("?")
        await self.rest()
        if before is not self._app.screen and not isinstance(self._app.screen, HELP):
            return  # a recording ended at this moment
        assert isinstance(self._app.screen, HELP), f"{before} with {before.focused} does not answer"
        self.send("\x1b")
        await self.rest()


async def walk(seed: int, count: int, capture: type | None = None) -> Counter[str]:
    """Send so many events, and count what was seen: events, ends, screens.

    Args:
        seed: of the dice.
        count: how many events.
        capture: a driver class for the apps; left out: Textual's for tests.

    Raises:
        AssertionError, Exception: of the program; the notes say after what.
    """
    dice, seen = Random(seed), Counter[str]()
    for kind in cycle(STARTS):
        if seen["events"] >= count:
            break
        until = seen["events"] + count // len(STARTS) // (1 + count // 2000) + 1
        size = dice.choice(SIZES)
        stream, sent = events(dice, size), []
        app = LstmtuiApp(start(kind), ascii=dice.random() < 0.2, driver_class=capture)
        seen[f"start: {kind}"] += 1
        try:
            async with app.run_test(headless=capture is None, size=size) as pilot:
                walker = Walker(pilot)
                await walker.rest()
                while seen["events"] < until and not app._exit:
                    burst = dice.choice((1, 1, 1, 2, 5, 20))
                    for _ in range(min(burst, until - seen["events"])):  # every start has its share
                        sent.append(next(stream))
                        walker.send(sent[-1])
                        seen["events"] += 1
                    await walker.rest()
                    if not app._exit:
                        seen[type(app.screen).__name__] += 1
                        if dice.random() < 0.1:
                            await walker.assert_alive()
                            seen["asked for help"] += 1
            assert app.return_code in (0, None), f"exit status {app.return_code}"
            seen["ends"] += app._exit
        except BaseException as error:
            error.add_note(f"seed {seed}, {kind} at {size}, after {len(sent)} events: …{sent[-40:]}")
            raise
    return seen


def main() -> None:
    """Walk, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20_000, help="events")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--screen", choices=STARTS, help="instead: the program itself, on this terminal")
    arguments = parser.parse_args()
    os.chdir(tempfile.mkdtemp())
    if arguments.screen:
        from lstmtui.tui.launch import launch

        launch(start(arguments.screen))
        return
    begun = time.monotonic()
    seen = asyncio.run(walk(arguments.seed, arguments.count))
    for name, times in sorted(seen.items()):
        print(f"{times:8,}  {name}")
    print(f"{time.monotonic() - begun:8.0f}  seconds; no failure")


if __name__ == "__main__":
    sys.exit(main())
