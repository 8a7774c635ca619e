"""How long a what-if takes, by where in the run it begins.

    python tests/benchmarks/whatif.py [--steps 10000] [--units 64] [--cell lstm]

A what-if runs the values again from its first timestep on; the whole run is the what-if at t = 0. The
gradients, which always go through the whole run, are worked out when they are first looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace.edits import Edit


def main() -> None:
    """Print a line for each part of the run, and its share of the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--cell", default="lstm")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    steps, module = arguments.steps, Recurrent(arguments.cell, 8, arguments.units)
    x = torch.randn(steps, 1, 8)
    print(
        f"{arguments.cell}, T = {steps:,}, H = {arguments.units}, float32, {torch.get_num_threads()} threads"
    )
    trace = record(module, x)
    recording = best_of(2, lambda: record(module, x))

    def what_if(start: int) -> float:
        edit = Edit(1, "", 0, "forward", 0, "h", 0, 0.5, start, start)
        return best_of(3, lambda: rerun(trace, [edit]))

    whole = what_if(0)
    print(f"{'recording, gradients included':32} {recording:8.3f} s")
    print(f"{'what-if from t = 0':32} {whole:8.3f} s   the whole run")
    for part in (2, 10, 100):
        start = steps - steps // part
        seconds = what_if(start)
        print(f"{f'what-if from t = {start:,}':32} {seconds:8.3f} s   ratio {seconds / whole:.3f}")
    edit = Edit(1, "", 0, "forward", 0, "h", 0, 0.5, steps - steps // 10, steps - 1)
    gradients = best_of(2, lambda: rerun(trace, [edit]).values("dh"))
    print(f"{'… with its gradients':32} {gradients:8.3f} s")


def best_of(times: int, action: Callable[[], object]) -> float:
    """The shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        found.append(time.perf_counter() - begin)
    return min(found)


if __name__ == "__main__":
    main()
