"""Two ways to a machine far away, side by side over a slow link: drawn there (`ssh -t`), and drawn here (ssh://).

Run from the root of the repository: `python tests/benchmarks/ssh.py`. It needs OpenSSH's server. The link
takes 40 ms each way and 2 Mbit/s each way; bytes are those of the link, both ways, ssh's own included. Times
run from the key to the screen that shows what it asked for; they depend on the machine, bytes hardly do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path
from statistics import median
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))

from remote.large_trace import save_large_trace
from remote.relay import DELAY, RATE
from remote.slow_box import SlowBox, slow_box
from terminal import Program

import lstmtui
from lstmtui.scenario import find_scenario

READY = r"t=0/(.|\n)*h₀ = (.|\n)*‖∂L/∂h‖(.|\n)*10[⁻⁰¹²³⁴-⁹]+┤ *[⠁-⣿](.|\n)*quit"
QUIET = 0.4
"""Seconds after which nothing more is taken to come."""


@dataclass
class Cost:
    """What something took, each time."""

    seconds: list[float]
    sizes: list[float]

    def __str__(self) -> str:
        return f"{1000 * median(self.seconds):>9,.0f} {median(self.sizes):>10,.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table for each depth of colour."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="T of the trace")
    parser.add_argument("--hidden", type=int, default=256, help="H")
    parser.add_argument("--keys", type=int, default=30, help="how many steps to measure")
    parser.add_argument("--openings", type=int, default=3, help="how often to open")
    parser.add_argument("--delay", type=float, default=1000 * DELAY, help="milliseconds each way")
    parser.add_argument("--rate", type=float, default=RATE * 8 / 1e6, help="Mbit/s each way")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        environ["LSTMTUI_STATE_DIR"] = f"{folder}/state"
        large, small = Path(folder) / "large.trace", Path(folder) / "latch.trace"
        save_large_trace(large, given.steps, given.hidden)
        lstmtui.run(find_scenario("latch")).save(small)
        (Path(folder) / "box").mkdir()
        with slow_box(Path(folder) / "box", given.delay / 1000, given.rate * 1e6 / 8) as slow:
            for color in ("truecolor", "256"):
                compare(slow, large, small, color, given)


def compare(slow: SlowBox, large: Path, small: Path, color: str, given: argparse.Namespace) -> None:
    """Measure both ways and print their table."""
    link = f"{given.delay:g} ms and {given.rate:g} Mbit/s each way"
    print(f"T = {given.steps:,}, H = {given.hidden}, {color}, {link}")
    print(f"{'':>24} {'ssh -t: ms':>9} {'bytes':>9}   {'ssh://: ms':>9} {'bytes':>9}")
    there = measured(slow, slow.shown, large, small, color, given)
    here = measured(slow, slow.opened, large, small, color, given)
    for name in there:
        print(f"{name:>24} {there[name]}   {here[name]}", flush=True)


def measured(
    slow: SlowBox,
    begin: Callable[..., Program],
    large: Path,
    small: Path,
    color: str,
    given: argparse.Namespace,
) -> dict[str, Cost]:
    """What everything costs one way."""
    costs: dict[str, Cost] = {}
    for _ in range(given.openings):
        meter = Meter(slow, costs)
        with begin(large, (120, 40), "--color", color) as program:
            meter.take("opening", program, READY)
    with begin(large, (120, 40), "--color", color) as program:
        meter = Meter(slow, costs)
        program.wait_for(READY)
        program.read(quiet=1)
        for t in range(1, given.keys + 1):
            meter.take("step", program, shows(t), "l")
        for t in range(1, 8):
            t = t * given.steps // 8 + 57 * t
            program.send(":goto " + str(t))
            program.wait_for(f":goto {t}")
            meter.take("step outside (goto)", program, shows(t), "\r")
        meter.command(
            "continue over all", program, "break when norm(h) < 0", "1 +norm", "c", shows(given.steps - 1)
        )
    with begin(small, (120, 40), "--color", color) as program:
        meter = Meter(slow, costs)
        program.wait_for(READY)
        program.read(quiet=1)
        meter.take("what-if", program, "what-if(.|\n)*what if 1", ":set h[1] = 0.5 from 4 to 6\r")
        target = small.parent / "out.npz"
        meter.take("export", program, "out.npz", f":export {target}\r")
    return costs


def shows(t: int) -> str:
    """A pattern for a screen whose cursor and whose numbers are at a timestep."""
    digits = "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(t))
    return rf"t={t}/(.|\n)*[^₀-₉]h{digits} = o"


class Meter:
    """Seconds and bytes of what is done with a program."""

    def __init__(self, slow: SlowBox, costs: dict[str, Cost]) -> None:
        self._slow, self._costs = slow, costs

    def take(self, name: str, program: Program, pattern: str, keys: str = "") -> None:
        """From some keys until the screen shows what they asked for; bytes until it is quiet."""
        before, begun = sum(self._slow.relay.carried()), monotonic()
        program.send(keys)
        program.wait_for(pattern)
        taken = monotonic() - begun
        program.read(quiet=QUIET)
        cost = self._costs.setdefault(name, Cost([], []))
        cost.seconds.append(taken)
        cost.sizes.append(sum(self._slow.relay.carried()) - before)

    def command(self, name: str, program: Program, first: str, seen: str, keys: str, pattern: str) -> None:
        """The same for keys that come after a command."""
        program.send(f":{first}\r")
        program.wait_for(seen)
        program.read(quiet=QUIET)
        self.take(name, program, pattern, keys)


if __name__ == "__main__":
    main()
