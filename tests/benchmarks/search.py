"""How long `continue` takes to search a long trace, and how much faster that is than going step by step.

    python tests/benchmarks/search.py [--steps 100000] [--units 64]

Nothing is found, so that the whole trace is searched.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lstmtui.view import View

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic import synthetic

from lstmtui.expressions import Expression, Scope, scope_of

EXPRESSIONS = (
    "max(abs(c)) > 9",
    "min(f) < -1",
    "c[3] > 9",
    "norm(c) < norm(prev(c)) / 99",
    "any(c > 2) or all(h < -2)",
    "any(isnan(h)) or not all(isfinite(dc))",
    "sum(f * prev(c) + i * g) > 1000",
    "mean(log(exp(o_pre) + 1) ** 3) < 0",
)
STEP_BY_STEP = 2_000
"""So many timesteps are evaluated one by one; the rest would take as long each."""


def main() -> None:
    """Print a line for each expression."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--units", type=int, default=64)
    arguments = parser.parse_args()
    scope = scope_of(View.of(synthetic("lstm", arguments.steps, arguments.units)))
    print(f"T = {arguments.steps:,}, H = {arguments.units}, float32, nothing found")
    print(f"{'expression':40} {'search':>10} {'step by step':>14} {'ratio':>8}")
    for text in EXPRESSIONS:
        expression = Expression(text)
        searched = best_of(3, lambda e=expression: e.search(scope, range(scope.steps)))
        single = step_by_step(expression, scope)
        print(f"{text:40} {searched * 1e3:7.1f} ms {single:12.2f} s {single / searched:7.0f}×")


def step_by_step(expression: Expression, scope: Scope) -> float:
    """Seconds for `condition` at every timestep, from a part of them."""
    count = min(STEP_BY_STEP, scope.steps)

    def walk() -> None:
        for t in range(count):
            expression.condition(scope, t)

    return best_of(2, walk) * scope.steps / count


def best_of(times: int, run: Callable[[], object]) -> float:
    """The shortest of some runs, in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    main()
