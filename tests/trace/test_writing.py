"""A trace written block by block is the one that was recorded, and its summaries come without reading it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from lstmtui.errors import Cancelled, UserError
from lstmtui.trace import Header, Layer, Trace, Traces, load
from lstmtui.trace.array_file import ArrayFile
from lstmtui.trace.directory import TraceDirectory
from lstmtui.trace.summaries import extent_of, norms_of
from lstmtui.trace.writing import TraceWriter

T, B, H = 50, 2, 3
NAMES = ("x", "h_pre", "h")
LAYER = Layer("rnn_tanh", H, H)
HEADER = Header("m", (LAYER,), steps=T, batch=B, loss=1.5)


def values(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    made = np.random.default_rng(seed).standard_normal((T, B, H)).astype(np.float32)
    made[7, 1, 2], made[8, 0, 0] = np.nan, np.inf
    return made


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_blocks_in_any_order_make_the_array_and_its_summaries(tmp_path: Path, order: str) -> None:
    h, starts = values(), list(range(0, T, 7))
    if order != "forward":
        starts = starts[::-1] if order == "backward" else [starts[i] for i in (3, 0, 7, 1, 2, 6, 5, 4)]
    with TraceWriter(tmp_path / "t") as writer:
        file = writer.array("0/forward/h", h.shape, h.dtype)
        for start in starts:
            file.write(start, h[start : start + 7])
        trace = writer.finish(HEADER, {"parameters/w": np.ones(2)})
    assert file.complete == T
    assert np.array_equal(trace.values("h"), h, equal_nan=True)
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    assert np.array_equal(found.values("h"), h, equal_nan=True)
    assert np.array_equal(found.arrays["norms/0/forward/h"], norms_of(h), equal_nan=True)
    assert found.extent("h") == pytest.approx(extent_of(h))
    assert found.parameters["w"].tolist() == [1, 1]


def test_how_far_an_array_is_complete_does_not_count_what_lies_past_a_gap(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path / "a.npy", (10, 1), np.float32)
    block = np.ones((3, 1), np.float32)
    seen = []
    for start in (4, 7, 0, 3):
        file.write(start, block)
        seen.append(file.complete)
    assert seen == [0, 0, 3, 10]
    assert file.read(0, 20).ravel().tolist() == [1] * 10


def test_what_is_written_twice_is_counted_once(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path / "a.npy", (4, 1), np.float32, extent=True)
    file.write(0, np.full((4, 1), 100, np.float32))
    file.write(1, file.read(1, 3) - 99)
    file.write(0, np.zeros((1, 1), np.float32))
    file.write(3, np.zeros((1, 1), np.float32))
    assert file.extent is not None
    assert file.extent.tolist() == [0, 1, pytest.approx(np.sqrt(0.5))]


def test_what_is_never_written_is_zero_and_takes_no_space(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path / "a.npy", (1 << 20, 64), np.float64)
    file.write(3, np.ones((1, 64)))
    assert file.file.stat().st_blocks * 512 < 1 << 16
    assert file.read(2, 4).sum(axis=1).tolist() == [0, 64]
    assert np.load(file.file, mmap_mode="r").shape == (1 << 20, 64)


def test_threads_may_write_different_blocks(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path / "a.npy", (400, 5), np.float32, extent=True)
    given = np.arange(2000, dtype=np.float32).reshape(400, 5)

    def write(first: int) -> None:
        for start in range(first, 400, 40):
            file.write(start, given[start : start + 10])

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.complete == 400
    assert np.array_equal(file.read(0, 400), given)
    assert file.extent is not None
    assert file.extent[1] == 1999


def test_a_block_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path / "a.npy", (4, 2), np.float32)
    for start, shape in ((3, (2, 2)), (-1, (1, 2)), (0, (1, 3)), (0, (1,))):
        with pytest.raises(ValueError, match="does not fit into"):
            file.write(start, np.zeros(shape))
    with pytest.raises(ValueError, match="objects"):
        ArrayFile(tmp_path / "b.npy", (4,), object)


@pytest.mark.parametrize("older", [False, True])
def test_a_cancelled_recording_leaves_what_was_there(tmp_path: Path, older: bool) -> None:
    target = tmp_path / "t"
    if older:
        Trace(HEADER, {f"0/forward/{n}": values(1) for n in NAMES}).save(target)
    before = sorted(p.name for p in tmp_path.rglob("*"))

    def record() -> None:
        with TraceWriter(target) as writer:
            writer.describe(HEADER)
            for name in NAMES:
                writer.array(f"0/forward/{name}", (T, B, H), np.float32).write(0, values()[:10])
            writer.advance(10)
            assert (target / "live.json").exists()
            raise Cancelled

    with pytest.raises(Cancelled):
        record()
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_several_models_appear_together_at_the_end(tmp_path: Path) -> None:
    with TraceDirectory(tmp_path / "t", several=True) as directory:
        for number, name in enumerate("ab"):
            writer = TraceWriter(directory, name)
            writer.array("0/forward/h", (T, B, H), np.float32).write(0, values(number))
            first = writer.finish(HEADER, {"parameters/old": np.zeros(1)})
            assert "old" in first.parameters
            writer.finish(HEADER, {"parameters/new": np.ones(1)})
            with pytest.raises(UserError, match="not a trace"):
                load(tmp_path / "t")
        directory.finish()
    found = load(tmp_path / "t")
    assert isinstance(found, Traces)
    assert list(found) == ["a", "b"]
    for number, trace in enumerate(found.values()):
        assert np.array_equal(trace.values("h"), values(number), equal_nan=True)
        assert list(trace.parameters) == ["new"]
