"""One path, several writers and readers: whoever comes second is told, and what can be read stays so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lstmtui.trace.claim as claim_module
from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, load
from lstmtui.trace.claim import CLAIM, BusyError, Claim
from lstmtui.trace.directory import TraceDirectory

NAMES = ("x", "h_pre", "h")
HEADER = Header("m", (Layer("rnn_tanh", 1, 1),), steps=4, batch=1)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot lock a folder")


def trace_of(number: float) -> Trace:
    return Trace(HEADER, {f"0/forward/{name}": np.full((4, 1, 1), number) for name in NAMES})


def opened(path: Path) -> Trace:
    trace = load(path)
    assert isinstance(trace, Trace)
    return trace


def test_writers_that_are_killed_and_two_at_once_leave_what_can_be_read() -> None:
    script = Path(__file__).with_name("torture.py")
    ended = subprocess.run([sys.executable, script, "50"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_second_writer_is_told_and_the_first_is_not_disturbed(tmp_path: Path) -> None:
    target = tmp_path / "t"
    with TraceDirectory(target, several=False):
        for _ in range(2):
            with pytest.raises(BusyError, match="this process is writing a trace there; wait for it"):
                trace_of(1).save(target)
        assert [path.name[:5] for path in target.iterdir()].count("data-") == 1
    assert not target.exists()
    trace_of(2).save(target)
    assert opened(target).values("h")[0, 0, 0] == 2


def test_a_lock_that_a_killed_writer_left_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / CLAIM).write_text("4711")
    trace_of(1).save(tmp_path)
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == ["data-", "trace"]


def test_without_locks_a_recent_writer_counts_as_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_module, "lock", lambda *_, **__: None)
    with Claim(tmp_path), pytest.raises(BusyError):
        Claim(tmp_path)
    (tmp_path / CLAIM).write_text("4711")
    os.utime(tmp_path / CLAIM, (1, 1))
    Claim(tmp_path).release()


def test_a_claim_is_on_the_file_that_is_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder may remove the file after another has opened it and before that one locks it."""
    first, real = Claim(tmp_path), claim_module.lock

    def lock_after_release(descriptor: int) -> bool | None:
        first.release()
        return real(descriptor)

    monkeypatch.setattr(claim_module, "lock", lock_after_release)
    second = Claim(tmp_path)
    monkeypatch.setattr(claim_module, "lock", real)
    with pytest.raises(BusyError):
        Claim(tmp_path)
    second.release()


def test_what_was_opened_stays_readable_until_it_is_let_go(tmp_path: Path) -> None:
    trace_of(1).save(tmp_path)
    one, other = opened(tmp_path), opened(tmp_path)
    trace_of(2).save(tmp_path)
    trace_of(3).save(tmp_path)
    assert one.values("h")[0, 0, 0] == 1
    del one
    assert other.values("x")[0, 0, 0] == 1
    del other
    assert len(list(tmp_path.glob("data-*"))) == 1
    assert opened(tmp_path).values("h")[0, 0, 0] == 3


def test_a_trace_that_is_replaced_while_it_is_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lstmtui.trace.storage as storage

    trace_of(1).save(tmp_path)
    real, numbers = storage.read_manifest, [2, 3]

    def read(target: Path) -> object:
        manifest = real(target)
        if numbers:
            trace_of(numbers.pop(0)).save(target)
        return manifest

    monkeypatch.setattr(storage, "read_manifest", read)
    assert opened(tmp_path).values("h")[0, 0, 0] == 3


def test_a_trace_whose_data_is_gone_is_damaged(tmp_path: Path) -> None:
    trace_of(1).save(tmp_path)
    next(tmp_path.glob("data-*")).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="damaged: No such file"):
        load(tmp_path)
