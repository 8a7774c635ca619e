"""Copies to the host: through few buffers, each byte once, never read before it has come, without a wait."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import noise
from torch import Tensor

from lstmtui.capture.stores import host_copies
from lstmtui.capture.stores.host_copies import Arriving, copy_to_host, on_host

SIZE = 64


class SlowLink:
    """A GPU that has copied nothing until somebody waits for it, and then all up to there, in order."""

    def __init__(self, count: int = 3) -> None:
        self.lock = Lock()
        self.buffers = [torch.zeros(SIZE, dtype=torch.uint8) for _ in range(count)]
        self.bytes, self.most = 0, 0
        self._queue: list[Callable[[], None]] = []
        self._waits: dict[int, bool] = {}

    def enqueue(self, ready: Any, source: Tensor, buffer: Tensor) -> Any:
        assert len(source) == len(buffer) <= SIZE
        assert not self._waits.get(buffer.data_ptr()), "the buffer is overwritten before it was taken"
        self._waits[buffer.data_ptr()] = True
        self.most = max(self.most, sum(self._waits.values()))
        self.bytes += len(source)
        buffer.fill_(0xEE)
        self._queue.append(lambda: buffer.copy_(source))  # type: ignore[arg-type,return-value]
        return Wait(self, len(self._queue), buffer)

    def wait_for(self, count: int, buffer: Tensor) -> None:
        for copy in self._queue[:count]:
            copy()
        self._queue[:count] = [lambda: None] * count
        self._waits[buffer.data_ptr()] = False


class Wait:
    """The end of one copy."""

    def __init__(self, link: SlowLink, count: int, buffer: Tensor) -> None:
        self._link, self._count, self._buffer = link, count, buffer

    def synchronize(self) -> None:
        self._link.wait_for(self._count, self._buffer)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> SlowLink:
    slow = SlowLink()
    monkeypatch.setattr(host_copies, "link_to", lambda _: slow)
    monkeypatch.setattr(host_copies, "_SMALL", -1)
    return slow


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool, torch.int64])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (16, 1), (17, 1), (5, 4, 33)])
def test_every_byte_comes_once_through_buffers_that_are_used_again(
    shape: tuple[int, ...], dtype: torch.dtype, link: SlowLink
) -> None:
    source = (noise(*shape, seed=401) * 9).to(dtype)
    target = torch.empty_like(source)
    copy_to_host(source, target)
    assert torch.equal(target, source)
    assert link.bytes == source.nbytes
    assert link.most == min(len(link.buffers), -(-source.nbytes // SIZE))


def test_segments_come_in_any_order_while_others_are_sent(link: SlowLink) -> None:
    whole = noise(50, 3, 7, seed=402, dtype=torch.float32)
    arriving = Arriving(50)
    for start in (30, 0, 10, 20, 40):
        arriving.send(start, whole[start : start + 10])
    assert len(arriving._threads) <= host_copies.BUFFERS  # others wait, as what is on its way takes memory
    assert np.array_equal(arriving.array(), whole.numpy())
    assert arriving.tensor().data_ptr() == arriving.tensor().data_ptr() != whole.data_ptr()


def test_sending_does_not_wait_for_the_device(link: SlowLink, monkeypatch: pytest.MonkeyPatch) -> None:
    go, started = Flag(), Flag()

    def wait(self: Wait) -> None:
        started.set()
        assert go.wait(20)
        synchronize(self)

    synchronize = Wait.synchronize
    monkeypatch.setattr(Wait, "synchronize", wait)
    source = noise(40, 2, seed=403)
    arriving = Arriving(40)
    arriving.send(0, source)  # returns, with nothing copied yet
    assert started.wait(20)
    go.set()
    assert torch.equal(arriving.tensor(), source)


def test_a_copy_that_fails_is_told_where_the_array_is_wanted(
    link: SlowLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(link, "enqueue", fail)
    arriving = Arriving(3)
    arriving.send(0, torch.ones(3, 2))
    with pytest.raises(RuntimeError, match="the device is gone"):
        arriving.tensor()


def test_what_is_on_the_host_stays_where_it_is(link: SlowLink) -> None:
    tensor = torch.ones(3)
    assert on_host(tensor) is tensor
    assert link.bytes == 0


def test_without_page_locked_memory_copies_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[torch.device] = []

    def refuse(device: torch.device) -> None:
        tried.append(device)
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(host_copies, "Link", refuse)
    monkeypatch.setattr(host_copies, "_links", {})
    devices = [torch.device("cuda", 1), torch.device("cuda", 1), torch.device("cuda", 0), torch.device("cpu")]
    assert [host_copies.link_to(device) for device in devices] == [None] * 4
    assert tried == [torch.device("cuda", 1), torch.device("cuda", 0)]  # each is asked for once
