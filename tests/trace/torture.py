"""Writers that are killed at any moment, and two at once: what is on disk can be read after each.

    python tests/trace/torture.py ROUNDS

Prints what came of it as JSON, and has status 1 where anything could not be read.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, Traces, load
from lstmtui.trace.claim import BusyError
from lstmtui.trace.writing import TraceWriter

NAMES = ("x", "h_pre", "h")
T = 64


def header(number: float) -> Header:
    return Header("m" * int(number * 20), (Layer("rnn_tanh", 1, 1),), steps=T, batch=1, loss=number)


def save(target: Path, number: float) -> None:
    """A trace of which every value is its number, recorded as it grows or saved at once."""
    arrays = {f"0/forward/{name}": np.full((T, 1, 1), number) for name in NAMES}
    if number % 2:
        Traces({name: Trace(header(number), arrays) for name in "ab"}).save(target)
        return
    with TraceWriter(target) as writer:
        writer.describe(header(number))
        files = [writer.array(key, array.shape, array.dtype) for key, array in arrays.items()]
        for start in range(0, T, 16):
            for file in files:
                file.write(start, np.full((16, 1, 1), number))
            writer.advance(start + 16)
        writer.finish(header(number))


def check(target: Path) -> float:
    """The number of the trace that is there."""
    found = load(target)
    traces = list(found.values()) if isinstance(found, Traces) else [found]
    numbers = {float(v) for t in traces for q in NAMES for v in np.unique(t.values(q))}
    numbers |= {trace.loss for trace in traces}
    (number,) = numbers
    return number


def forked(target: Path, numbers: range) -> int:
    """A child that saves traces of these numbers; its status is how many times it was told to wait."""
    child = os.fork()
    if child:
        return child
    status = 100
    try:
        refused = 0
        for number in numbers:
            try:
                save(target, float(number))
            except BusyError:
                refused += 1
        status = refused
    finally:
        os._exit(status)


def killed(target: Path, rng: random.Random, counts: Counter[str]) -> None:
    """A writer is killed after a random time; the trace it was to replace or its own is there."""
    before = check(target)
    child = forked(target, range(int(before) + 1, int(before) + 1000))
    time.sleep(rng.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    counts["replaced" if check(target) > before else "as it was"] += 1


def two(target: Path, counts: Counter[str]) -> None:
    """Two writers at once: each is done or told, and one is done."""
    children = [forked(target, range(first, first + 6, 2)) for first in (1001, 1002)]
    refused = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert max(refused) < 100, "a writer failed otherwise"
    assert sum(refused) < 6, "nobody wrote"
    counts["told"] += sum(refused)
    assert check(target) > 1000
    assert len(list(target.glob("data-*"))) == 1
    counts["written by two"] += 1


def torture(rounds: int) -> Counter[str]:
    rng, counts = random.Random(9), Counter[str]()
    os.fsync = lambda descriptor: None  # It guards against a loss of power, and a kill is none.
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "t"
        save(target, 0.0)
        for turn in range(rounds):
            try:
                killed(target, rng, counts)
                if turn % 5 == 0:
                    two(target, counts)
                    save(target, 0.0)
            except (UserError, AssertionError, ValueError) as error:
                counts[f"WRONG: {type(error).__name__}: {error}"] += 1
                break
        save(target, 1.0)
        counts["left"] = len(list(target.iterdir()))
    return counts


if __name__ == "__main__":
    outcome = torture(int(sys.argv[1]))
    print(json.dumps(outcome))
    sys.exit(any(key.startswith("WRONG") for key in outcome))
