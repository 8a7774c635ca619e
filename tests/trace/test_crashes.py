"""A save that stops half-way leaves the old trace or the new one, and the next save goes through."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, Traces, load

NAMES = ("x", "h_pre", "h")


class Crash(BaseException):
    """What nothing catches, as a kill is."""


def make_traces(value: float) -> Traces:
    """Two models of which every number is `value`."""
    header = Header("m", (Layer("rnn_tanh", 1, 1),), steps=2, batch=1, loss=value)
    return Traces(
        {n: Trace(header, {f"0/forward/{q}": np.full((2, 1, 1), value) for q in NAMES}) for n in ("a", "b")}
    )


def value_on_disk(path: Path) -> float:
    """The value of the trace that is there; every number of it must be the same."""
    traces = load(path)
    assert isinstance(traces, Traces)
    assert list(traces) == ["a", "b"]
    values = {traces[n].loss for n in traces}
    for trace in traces.values():
        assert trace.quantities() == NAMES
        values |= {float(v) for q in NAMES for v in trace.values(q).ravel()}
    (value,) = values
    return value


CALLS: list[tuple[Any, str]] = [
    (np.lib.format, "write_array_header_1_0"),
    (os, "fsync"),
    (pathlib.Path, "replace"),
    (pathlib.Path, "open"),
    (pathlib.Path, "mkdir"),
]


def crash_at(monkeypatch: pytest.MonkeyPatch, k: int, error: BaseException, after: bool) -> Callable[[], int]:
    """Raise `error` before or after the k-th of the calls that write; returns how many there were."""
    count = 0

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            mine = count == k
            if mine and not after:
                raise error
            result = real(*arguments, **options)
            if mine:
                if hasattr(result, "close"):
                    result.close()
                raise error
            return result

        return call

    for owner, name in CALLS:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    return lambda: count


def all_calls(tmp_path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        counted = crash_at(patch, -1, Crash(), after=False)
        make_traces(0.0).save(tmp_path / "counted")
        return counted()


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_point_leaves_the_old_trace_or_the_new_one(tmp_path: Path, after: bool) -> None:
    calls = all_calls(tmp_path)
    assert calls > 40
    found = []
    for k in (*range(1, calls - 6, 2), *range(calls - 6, calls + 1)):
        target = tmp_path / f"t{k}"
        make_traces(1.0).save(target)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, k, Crash(), after)
            with pytest.raises(Crash):
                make_traces(2.0).save(target)
        found.append(value_on_disk(target))
        if k % 9 == 0:
            make_traces(3.0).save(target)
            assert value_on_disk(target) == 3
            assert sorted(p.name[:5] for p in target.iterdir()) == ["data-", "trace"]
    assert found == sorted(found)
    assert set(found) == ({1.0, 2.0} if after else {1.0})


def test_a_crash_of_the_first_save_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    calls = all_calls(tmp_path)
    for k in (*range(1, calls, 5), calls - 2, calls - 1, calls):
        target = tmp_path / f"t{k}"
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, k, Crash(), after=False)
            with pytest.raises(Crash):
                make_traces(2.0).save(target)
        with pytest.raises(UserError, match="not a trace"):
            load(target)
        make_traces(3.0).save(target)
        assert value_on_disk(target) == 3


def test_a_full_disk_is_told_and_leaves_the_old_trace_alone(tmp_path: Path) -> None:
    calls = all_calls(tmp_path)
    for k in (*range(1, calls, 5), calls - 2, calls - 1, calls):
        target = tmp_path / f"t{k}"
        make_traces(1.0).save(target)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, k, OSError(28, "No space left on device"), after=False)
            with pytest.raises(UserError, match="cannot write the trace: No space left on device"):
                make_traces(2.0).save(target)
        assert value_on_disk(target) == 1
        assert len(list(target.glob("data-*"))) == 1


KILLED = """
import os, signal, sys
import numpy as np
from lstmtui.trace import Header, Layer, Trace
files = 0
real = os.fsync
def fsync(number):
    global files
    files += 1
    real(number)
    if files == 3:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
header = Header("m", (Layer("rnn_tanh", 1, 1),), steps=2, batch=1, loss=2.0)
Trace(header, {f"0/forward/{q}": np.full((2, 1, 1), 2.0) for q in ("x", "h_pre", "h")}).save(sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_the_old_trace(tmp_path: Path) -> None:
    make_traces(1.0).save(tmp_path / "t")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "t")], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "t").glob("data-*"))) == 2
    assert value_on_disk(tmp_path / "t") == 1


def test_everything_is_on_disk_before_the_old_trace_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real = pathlib.Path.replace

    def replace(self: Path, target: Path) -> Path:
        events.append("replace")
        return real(self, target)

    monkeypatch.setattr(os, "fsync", lambda number: events.append("fsync"))
    monkeypatch.setattr(pathlib.Path, "replace", replace)
    make_traces(1.0).save(tmp_path / "t")
    assert events[-1] == "replace"
    assert events.count("replace") == 1
    assert events.count("fsync") == len(list((tmp_path / "t").rglob("*.npy"))) + 1
