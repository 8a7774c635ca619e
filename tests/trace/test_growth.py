"""A trace that is being recorded: what is there can be read, it grows, it ends, and it may be replaced."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, Traces, is_trace, load
from lstmtui.trace.directory import TraceDirectory
from lstmtui.trace.growth import Growth
from lstmtui.trace.keys import array_key
from lstmtui.trace.writing import TraceWriter

T, B, H = 40, 2, 3
NAMES = ("x", "h_pre", "h")
LAYERS = (Layer("rnn_tanh", H, H), Layer("rnn_tanh", H, H))
HEADER = Header("m", LAYERS[:1], steps=T, batch=B, loss=2.5)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every advance is published."""
    monkeypatch.setattr("lstmtui.trace.directory.BETWEEN", 0.0)


def write(writer: TraceWriter, start: int, stop: int, layer: int = 0, number: float | None = None) -> None:
    """Every value of these timesteps is their t, or `number`."""
    block = np.broadcast_to(np.arange(start, stop, dtype=np.float32)[:, None, None], (stop - start, B, H))
    for name in NAMES:
        key = array_key(name, layer, "forward")
        file = writer._arrays.get(key) or writer.array(key, (T, B, H), np.float32)
        file.write(start, block if number is None else np.full_like(block, number))
    writer.advance(stop)


def one(path: Path) -> Trace:
    found = load(path)
    assert isinstance(found, Trace)
    return found


def test_what_is_there_can_be_opened_and_the_rest_is_said_to_come(tmp_path: Path) -> None:
    lengths = np.array([T, 5])
    with TraceWriter(tmp_path) as writer:
        writer.describe(
            HEADER, {"lengths": lengths, "mask": np.ones((T, B), bool), "parameters/w": np.ones(T)}
        )
        writer.array("0/forward/dh", (T, B, H), np.float32)
        assert not is_trace(tmp_path)
        write(writer, 0, 10)
        trace = one(tmp_path)
        assert is_trace(tmp_path)
        assert (trace.steps, trace.header.live) == (10, T)
        assert trace.values("h")[:, 0, 0].tolist() == list(range(10))
        assert trace.norms("h").shape == (10, B)
        assert trace.extent("h")[:2] == (0, 9)
        assert trace.lengths.tolist() == [10, 5]
        assert (trace.arrays["mask"].shape, trace.parameters["w"].shape) == ((10, B), (T,))
        assert trace.quantities() == NAMES
        with pytest.raises(UserError, match="dh: not in this trace; it is still being recorded"):
            trace.values("dh")
        write(writer, 10, T)
        writer.finish(HEADER, {"lengths": lengths})
    found = one(tmp_path)
    assert (found.steps, found.header.live, found.quantities()) == (T, 0, (*NAMES, "dh"))
    assert sorted(p.name[:5] for p in tmp_path.iterdir()) == ["data-", "trace"]


def test_a_follower_sees_each_step_once_and_the_end(tmp_path: Path) -> None:
    growth = Growth(tmp_path / "t")
    assert (growth.poll(), growth.state) == (None, "")
    with TraceWriter(tmp_path / "t") as writer:
        writer.describe(HEADER)
        for stop in (8, 16):
            write(writer, stop - 8, stop)
            found = growth.poll()
            assert isinstance(found, Trace)
            assert (found.steps, growth.state) == (stop, "live")
            assert growth.poll() is None
            writer.advance(stop)  # goes back through time, say: there is nothing new to look at
            assert growth.poll() is None
        write(writer, 16, T)
        writer.finish(HEADER)
    found = growth.poll()
    assert isinstance(found, Trace)
    assert (found.steps, growth.state) == (T, "ended at t=39")
    assert growth.poll() is None


def test_a_later_layer_is_shown_once_it_has_come_as_far_as_the_first(tmp_path: Path) -> None:
    header = replace(HEADER, layers=LAYERS)
    with TraceWriter(tmp_path) as writer:
        writer.describe(header)
        write(writer, 0, T)
        write(writer, 0, T // 2, layer=1)
        assert (one(tmp_path).steps, len(one(tmp_path).layers)) == (T, 1)
        write(writer, T // 2, T, layer=1)
        assert len(one(tmp_path).layers) == 2


def test_the_models_that_are_done_are_whole_beside_the_one_that_grows(tmp_path: Path) -> None:
    with TraceDirectory(tmp_path, several=True) as directory:
        first, second = TraceWriter(directory, "a"), TraceWriter(directory, "b")
        write(first, 0, T)
        first.finish(HEADER)
        second.describe(HEADER)
        write(second, 0, 4)
        found = load(tmp_path)
    assert isinstance(found, Traces)
    assert {name: (trace.steps, trace.header.live) for name, trace in found.items()} == {
        "a": (T, 0),
        "b": (4, T),
    }


def test_an_older_trace_is_there_again_after_a_recording_that_was_given_up(tmp_path: Path) -> None:
    with TraceWriter(tmp_path) as writer:
        write(writer, 0, T, number=1)
        writer.finish(HEADER)
    growth = Growth(tmp_path)
    older = growth.poll()
    assert isinstance(older, Trace)
    assert growth.state == ""
    with TraceWriter(tmp_path) as writer:
        writer.describe(HEADER)
        write(writer, 0, 5, number=2)
        newer = growth.poll()
        assert isinstance(newer, Trace)
        assert (newer.steps, float(newer.values("h").max())) == (5, 2)
    assert float(older.values("h").min()) == 1
    again = growth.poll()
    assert isinstance(again, Trace)
    assert (again.steps, float(again.values("h").max())) == (T, 1)


def test_what_a_follower_was_given_stays_readable_when_the_trace_is_replaced(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    for number in (1.0, 2.0, 3.0):
        with TraceWriter(tmp_path) as writer:
            write(writer, 0, T, number=number)
            writer.finish(HEADER)
        found = growth.poll()
        assert isinstance(found, Trace)
        if number == 1:
            first = found
    assert {float(first.values(name).mean()) for name in NAMES} == {1.0}
    assert len(list(tmp_path.glob("data-*"))) == 1


def test_a_follower_never_sees_torn_data(tmp_path: Path) -> None:
    stop = threading.Event()

    def record() -> None:
        number = 0.0
        while not stop.is_set():
            number += 1
            with TraceWriter(tmp_path / "t") as writer:
                writer.describe(replace(HEADER, loss=number))
                for start in range(0, T, 10):
                    write(writer, start, start + 10, number=number)
                writer.finish(replace(HEADER, loss=number))

    thread = threading.Thread(target=record)
    thread.start()
    growth, seen = Growth(tmp_path / "t"), 0
    try:
        while seen < 60:
            found = growth.poll()
            if isinstance(found, Trace):
                seen += 1
                assert {float(v) for n in NAMES for v in found.values(n).ravel()} == {found.loss}
    finally:
        stop.set()
        thread.join()


KILLED = """
import os, signal, sys
import numpy as np
import lstmtui.trace.directory as directory
from lstmtui.trace import Header, Layer
from lstmtui.trace.writing import TraceWriter
directory.BETWEEN = 0
writer = TraceWriter(sys.argv[1])
writer.describe(Header("m", (Layer("rnn_tanh", 1, 1),), steps=9, batch=1))
files = [writer.array(f"0/forward/{name}", (9, 1, 1), "float32") for name in ("x", "h_pre", "h")]
for file in files:
    file.write(0, np.ones((4, 1, 1)))
writer.advance(4)
print("ready", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_recording_can_be_opened_as_far_as_it_came(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        growth = Growth(tmp_path)
        assert growth.poll() is not None
        assert growth.state == "live"
        writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    found = growth.poll()
    assert isinstance(found, Trace)
    assert growth.state == "stopped at t=3 of 8"
    assert growth.poll() is None
    assert one(tmp_path).values("h").shape == (4, 1, 1)
    with pytest.raises(UserError, match="its recording stopped at t=3 of 8, before there were derivatives"):
        one(tmp_path).values("dh")
    with TraceWriter(tmp_path) as again:
        write(again, 0, T)
        again.finish(HEADER)
    assert one(tmp_path).steps == T
    assert len(list(tmp_path.glob("data-*"))) == 1
    assert not (tmp_path / "live.json").exists()


@pytest.mark.parametrize(
    "extents", [3, {"0/forward/h": 3}, {"0/forward/h": ["a", 1, 2]}, {"0/forward/h": [1]}]
)
def test_a_damaged_live_manifest_is_told(tmp_path: Path, extents: object) -> None:
    import json

    with TraceWriter(tmp_path) as writer:
        writer.describe(HEADER)
        write(writer, 0, 4)
        file = tmp_path / "live.json"
        manifest = json.loads(file.read_text())
        manifest["models"][0]["extents"] = extents
        file.write_text(json.dumps(manifest))
        with pytest.raises(UserError, match=r"live\.json: damaged"):
            load(tmp_path)
        with pytest.raises(UserError, match=r"live\.json: damaged"):
            Growth(tmp_path).poll()
