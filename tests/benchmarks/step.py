"""What one step costs over a real terminal: bytes, and milliseconds from the key to the last byte.

Run from the root of the repository: `python tests/benchmarks/step.py`. The screen is 120×40 in truecolor with
every panel. Times depend on the machine; the ratio to a run that sends everything does not.
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000, 100_000], help="T of the traces")
    parser.add_argument("--hidden", type=int, default=64, help="H")
    parser.add_argument("--keys", type=int, default=60, help="how many steps to measure")
    given = parser.parse_args(arguments)
    print(f"{'T':>8} {'sent':>12} {'bytes':>8} {'p95':>8} {'ms':>7} {'p95':>7}")
    for steps in given.steps:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "run.trace")
            synthetic("lstm", steps, given.hidden).save(path)
            costs = {switch: measured(path, switch, given.keys) for switch in ("1", "0")}
        for switch, name in (("1", "differences"), ("0", "everything")):
            sizes, times = costs[switch]
            print(
                f"{steps:>8,} {name:>12} {median(sizes):>8,.0f} {p95(sizes):>8,.0f} "
                f"{median(times):>7.1f} {p95(times):>7.1f}"
            )
        ratio = [median(costs["0"][part]) / median(costs["1"][part]) for part in (0, 1)]
        print(f"{steps:>8,} {'ratio':>12} {ratio[0]:>8.1f} {'':>8} {ratio[1]:>7.1f}")


def measured(path: str, switch: str, keys: int) -> tuple[list[float], list[float]]:
    """Bytes and milliseconds of every step."""
    sizes, times = [], []
    with Program(["open", path], (120, 40), {"LSTMTUI_DIFFERENCE": switch}) as program:
        program.wait_for("t=0/")
        program.read(quiet=1)
        for _ in range(keys):
            begun = monotonic()
            program.send("l")
            size, last = program.answer(quiet=0.08)
            sizes.append(float(size))
            times.append(1000 * (last - begun))
    return sizes, times


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
