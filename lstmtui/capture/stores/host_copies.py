"""Copies from a GPU into the memory of the host, through a few page-locked buffers that are used again.

A copy into page-locked memory runs at the speed of the bus and beside what the device computes, but such
memory takes long to get and cannot be swapped out: an array goes through it piece by piece, the next being
copied while the host takes the last one out. The rules are those of
https://docs.pytorch.org/docs/stable/notes/cuda.html#use-pinned-memory-buffers.
"""

from __future__ import annotations

from collections import deque
from threading import Lock, Thread
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array

BUFFER = 8 * 2**20
"""Bytes of one buffer."""
BUFFERS = 3
_SMALL = 2**18
"""Bytes up to which a plain copy is as good."""


class Event(Protocol):
    """A point in the work that was queued on a device."""

    def synchronize(self) -> None:
        """Wait until the device has come there."""


class Link:
    """The page-locked buffers of one GPU, and a stream of its own for the copies into them."""

    def __init__(self, device: torch.device) -> None:
        self.lock = Lock()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.buffers = [
            torch.empty(BUFFER, dtype=torch.uint8, device="cpu", pin_memory=True) for _ in range(BUFFERS)
        ]

    def enqueue(self, ready: Any, source: Tensor, buffer: Tensor) -> Event:
        """Tell the device to copy into a buffer once `ready`; returns without waiting for it."""
        event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(ready)
            buffer.copy_(source, non_blocking=True)
            event.record(self._stream)
        return event


def link_to(device: torch.device) -> Link | None:
    """The link to a GPU; None where there is none to go through, or no page-locked memory for one."""
    if device.type != "cuda":
        return None
    with _making:
        if device.index not in _links:
            try:
                _links[device.index] = Link(device)
            except RuntimeError:  # a container, say, may lock few pages; plain copies are slower and as good
                _links[device.index] = None
        return _links[device.index]


_making = Lock()
_links: dict[int | None, Link | None] = {}


def mark(tensor: Tensor) -> Any:
    """The point at which all work queued so far on the current stream is done."""
    if tensor.device.type != "cuda":
        return None
    with torch.cuda.device(tensor.device):
        return torch.cuda.current_stream().record_event()


def copy_to_host(source: Tensor, target: Tensor, ready: Any = None) -> None:
    """Copy a tensor to the host, and wait until all of it has arrived.

    Args:
        source: contiguous; it must not be changed meanwhile.
        target: on the CPU, contiguous, of the same shape and dtype.
        ready: a `mark` from when the source was complete; left out: it is now.
    """
    link = None if source.nbytes <= _SMALL else link_to(source.device)
    if link is None:
        if ready is not None:
            ready.synchronize()
        target.copy_(source)
        return
    ready = mark(source) if ready is None else ready
    from_there, to_here = source.view(-1).view(torch.uint8), target.view(-1).view(torch.uint8)
    on_the_way: deque[tuple[Event, Tensor, Tensor]] = deque()
    with link.lock:
        size = len(link.buffers[0])
        for number, start in enumerate(range(0, len(from_there), size)):
            if len(on_the_way) == len(link.buffers):
                _take(*on_the_way.popleft())
            part = from_there[start : start + size]
            buffer = link.buffers[number % len(link.buffers)][: len(part)]
            event = link.enqueue(ready, part, buffer)
            on_the_way.append((event, buffer, to_here[start : start + size]))
        while on_the_way:
            _take(*on_the_way.popleft())


def _take(event: Event, buffer: Tensor, target: Tensor) -> None:
    event.synchronize()
    target.copy_(buffer)


def on_host(tensor: Tensor) -> Tensor:
    """A copy in memory of the host; a tensor that is on the host already is returned as it is."""
    if tensor.device.type == "cpu":
        return tensor
    source = tensor.contiguous()
    target = empty_on_host(source, len(source)) if source.dim() else empty_on_host(source[None], 1)[0]
    copy_to_host(source, target)
    return target


def empty_on_host(like: Tensor, steps: int) -> Tensor:
    """Memory for `steps` rows like those of a tensor; numpy asks for it in large pages, which come faster."""
    dtype = torch.empty((), dtype=like.dtype, device="cpu").numpy().dtype
    return torch.from_numpy(np.empty((steps, *like.shape[1:]), dtype))


class Arriving:
    """An array (T, …) that comes from a device in segments, while the device keeps computing.

    Args:
        steps: T.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._target: Tensor | None = None
        self._threads: list[Thread] = []
        self._errors: list[BaseException] = []

    def send(self, start: int, segment: Tensor) -> None:
        """Begin to copy a segment, which must not be changed until all has come."""
        source = segment.detach().contiguous()
        if self._target is None:
            self._target = empty_on_host(source, self._steps)
        target = self._target[start : start + len(source)]
        if len(self._threads) >= BUFFERS:
            self._threads.pop(0).join()  # What waits holds memory of the device.
        thread = Thread(target=self._copy, args=(source, target, mark(source)))
        self._threads.append(thread)
        thread.start()

    def tensor(self) -> Tensor:
        """The whole array, on the CPU, once all of it has come."""
        while self._threads:
            self._threads.pop().join()
        if self._errors:
            raise self._errors[0]
        assert self._target is not None
        return self._target

    def array(self) -> Array:
        """The whole array, once all of it has come."""
        array: Array = self.tensor().numpy()
        return array

    def _copy(self, source: Tensor, target: Tensor, ready: Any) -> None:
        try:
            copy_to_host(source, target, ready)
        except BaseException as error:  # It is raised where the array is wanted.
            self._errors.append(error)
