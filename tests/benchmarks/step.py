"""What one step costs over a real terminal: bytes, and milliseconds from the key to the last byte.

Run from the root of the repository: `python tests/benchmarks/step.py`. The screen is 120×40 with every panel.
Times depend on the machine; the ratio to a run that sends everything does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic import synthetic
from terminal import Program

COLORS = ("truecolor", "256", "16", "none")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000, 100_000], help="T of the traces")
    parser.add_argument("--hidden", type=int, default=64, help="H")
    parser.add_argument("--keys", type=int, default=60, help="how many steps to measure")
    parser.add_argument(
        "--color", nargs="+", choices=COLORS, default=["truecolor", "256"], help="colour depths to measure"
    )
    given = parser.parse_args(arguments)
    print(
        f"{'T':>8} {'colours':>10} {'sent':>12} {'opening':>9} {'bytes':>8} {'p95':>8} {'ms':>7} {'p95':>7}"
    )
    for steps in given.steps:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "run.trace")
            synthetic("lstm", steps, given.hidden).save(path)
            for color in given.color:
                compare(path, steps, color, given.keys)


def compare(path: str, steps: int, color: str, keys: int) -> None:
    """Measure with differences and without, and print a line for each and for their ratio."""
    costs = {switch: measured(path, color, switch, keys) for switch in ("1", "0")}
    for switch, name in (("1", "differences"), ("0", "everything")):
        opening, sizes, times = costs[switch]
        print(
            f"{steps:>8,} {color:>10} {name:>12} {opening:>9,} {median(sizes):>8,.0f} {p95(sizes):>8,.0f} "
            f"{median(times):>7.1f} {p95(times):>7.1f}"
        )
    ratio = [median(costs["0"][part]) / median(costs["1"][part]) for part in (1, 2)]
    print(f"{steps:>8,} {color:>10} {'ratio':>12} {'':>9} {ratio[0]:>8.1f} {'':>8} {ratio[1]:>7.1f}")


def measured(path: str, color: str, switch: str, keys: int) -> tuple[int, list[float], list[float]]:
    """Bytes of the opening; bytes and milliseconds of every step."""
    sizes, times = [], []
    with Program(["open", path, "--color", color], (120, 40), {"LSTMTUI_DIFFERENCE": switch}) as program:
        program.wait_for("t=0/")
        program.read(quiet=1)
        opening = len(program.written)
        for _ in range(keys):
            begun = monotonic()
            program.send("l")
            size, last = program.answer(quiet=0.08)
            sizes.append(float(size))
            times.append(1000 * (last - begun))
    return opening, sizes, times


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
