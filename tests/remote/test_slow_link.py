"""Opening and walking a long trace over a slow link, with the real program, ssh and sshd.

The bounds are generous, for machines that do other things as well; benchmarks/ssh.py measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import monotonic

import numpy as np
import pytest
from remote.large_trace import save_large_trace
from remote.relay import DELAY
from remote.slow_box import SlowBox, slow_box
from remote.sshd import needs_sshd
from terminal import Program

import lstmtui
from lstmtui.cells.notation import UNICODE
from lstmtui.trace import Trace

pytestmark = [needs_sshd, pytest.mark.clock]

STEPS = 100_000
NOISE = 3
"""How many times as long as on an idle machine things may take."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowBox]:
    with slow_box(tmp_path) as slow:
        yield slow


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.trace"
    save_large_trace(path, STEPS, 256)
    return path


def shows(trace: Trace, t: int) -> str:
    """A pattern for a screen that shows a timestep: the cursor, and its numbers in two panels."""
    number = UNICODE.number(float(np.asarray(trace.values("h")[t, 0, 0])))
    digits = "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(t))
    return rf"t={t}/(.|\n)*[^₀-₉]h{digits} = (.|\n)*= {number}(.|\n)*h +{number}"


def seconds(program: Program, keys: str, pattern: str) -> float:
    """From a key to the screen that is wanted."""
    begun = monotonic()
    program.send(keys)
    program.wait_for(pattern)
    return monotonic() - begun


def test_a_long_trace_opens_and_walks_in_time(slow: SlowBox, large: Path) -> None:
    trace = lstmtui.load(large)
    assert isinstance(trace, Trace)
    begun = monotonic()
    with slow.opened(large) as program:
        program.wait_for(shows(trace, 0))
        assert monotonic() - begun < 3.0 * NOISE
        program.read(quiet=0.5)
        walk = [seconds(program, "l", shows(trace, t)) for t in range(1, 15)]
        assert median(walk) < 0.050 * NOISE
        program.send("g")
        program.wait_for(":goto ")
        assert seconds(program, "70000\r", shows(trace, 70_000)) < (4 * DELAY + 0.050) * NOISE
        program.send("q")
        assert program.end() == 0
    there, back = slow.relay.carried()
    # A trace of 2 GB, of which little is looked at: what is fetched ahead depends on how long a step takes.
    assert there < 100_000
    assert back < 350_000
