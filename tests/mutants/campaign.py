"""Thousands of spoilt files of every kind: an exit status and a sentence for each, never a traceback.

    python tests/mutants/campaign.py COUNT [--seed N] [--first NUMBER]

A case is known by the seed and its number, and can be run again alone: `COUNT` 1 from its number on. Cases
run in another process, one after the other; where it dies or hangs, that is a failure of the case, and the
next one goes on in a new process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = (__file__,)
"""What Python runs in the other process."""
MOST_OPEN = 40
"""Files that the other process may have open after a case."""
HANGING = 60.0
"""Seconds after which a case is given up."""


@dataclass
class Outcome:
    """What came of the cases so far."""

    counts: Counter[str] = field(default_factory=Counter)
    """By kind and exit status: "trace 2"."""
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def __str__(self) -> str:
        lines = [f"{count:8,}  {name}" for name, count in sorted(self.counts.items())]
        lines.append(
            f"{sum(self.counts.values()):8,}  in all; slowest {self.slowest[0]:.1f} s: {self.slowest[1]}"
        )
        return "\n".join([*lines, f"{len(self.failures)} failures", *self.failures])


def run(count: int, seed: int = 0, first: int = 0) -> Outcome:
    """Run the cases `first` to before `first + count`."""
    outcome = Outcome()
    number, end = first, first + count
    while number < end:
        number = _run_until_it_dies(outcome, seed, number, end)
    return outcome


def _run_until_it_dies(outcome: Outcome, seed: int, first: int, end: int) -> int:
    """Run cases in one process; the number of the case to go on with."""
    command = [sys.executable, *WORKER, "0", "--worker", f"{seed} {first} {end}"]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout is not None
        assert worker.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            number, case = first - 1, "the start of the process"
            while number < end:
                if not selector.select(HANGING):
                    worker.kill()
                    outcome.failures.append(f"{number} {case}: hangs")
                    break
                line = worker.stdout.readline()
                if not line:
                    errors = worker.stderr.read().decode("utf-8", "replace")
                    outcome.failures.append(f"{number} {case}: ended with {worker.wait()}: {errors[-2000:]}")
                    break
                number, case, status, seconds, failure = json.loads(line)
                if status is None:
                    continue
                outcome.counts[f"{case} {status}"] += 1
                outcome.slowest = max(outcome.slowest, (seconds, f"{number} {case}"))
                if failure:
                    outcome.failures.append(f"{number} {case}: {failure}")
                if number == end - 1:
                    return end
    return max(number + 1, first + 1)


def _work(seed: int, first: int, end: int, prepare: Callable[[Path], Any] | None = None) -> None:
    """What the process does: a line of JSON before each case and after it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if prepare is None:
        from mutants.cases import prepare

    def say(*values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        files = prepare(Path(folder))
        kinds = [name for name, (share, _) in files.cases.items() for _ in range(share)]
        for number in range(first, end):
            rng = random.Random(f"{seed} {number}")
            name = rng.choice(kinds)
            say(number, name, None, 0, "")
            start, out, err = time.monotonic(), io.StringIO(), io.StringIO()
            status, failure = -1, ""
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status = files.cases[name][1](rng)
                except BaseException:
                    failure = traceback.format_exc()
            files.restore()
            failure = failure or _wrong(status, out.getvalue(), err.getvalue()) or _left_open()
            say(number, name, status, time.monotonic() - start, failure)


def _left_open() -> str:
    """What is wrong where files that were read are not closed."""
    folder = Path("/proc/self/fd")
    number = len(list(folder.iterdir())) if folder.is_dir() else 0
    return f"{number} files are open" if number > MOST_OPEN else ""


def _wrong(status: int, out: str, err: str) -> str:
    """What is wrong with what was printed; empty where nothing is."""
    if status not in (0, 1, 2):
        return f"status {status}"
    if status == 2 and not (out + err).strip():
        return "status 2 and not a word"
    if "Traceback" in err or "Warning" in err:
        return err
    strange = {c for c in out + err if not (c.isprintable() or c == "\n")}
    return f"prints {strange}" if strange else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        warnings.simplefilter("ignore", DeprecationWarning)
        _work(*map(int, arguments.worker.split()))
        return 0
    outcome = run(arguments.count, arguments.seed, arguments.first)
    print(outcome)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
