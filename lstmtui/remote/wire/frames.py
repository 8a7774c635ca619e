"""Frames: messages on a byte stream, each with its length before it; bounded whatever the peer sends.

A stream begins with `MAGIC`. Each frame is a byte that says whether it is compressed, its length in four
bytes, and one message in msgpack.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from lstmtui.printable import printable
from lstmtui.remote.wire.bounds import ProtocolError, check_bounds
from lstmtui.remote.wire.encoding import decode, encode

MAGIC = b"\x00\x1a\xfflstmtui\x00\r\n\x7f"
"""Begins each stream. No start-up file of a shell writes it, and a terminal in between would change it."""
MOST_NOISE = 1 << 16
"""Bytes before the magic that are put up with."""
LARGEST_FRAME = 1 << 24
"""Bytes, compressed or not."""
_COMPRESSED_FROM = 1 << 10
_HEAD = struct.Struct(">BI")
_PLAIN, _ZLIB = 0, 1


class NoFrames(ProtocolError):
    """The stream ended, or went on for too long, without a first frame."""

    def __init__(self, noise: bytes) -> None:
        super().__init__("the program did not answer as lstmtui does")
        self.noise = printable(noise.decode("utf-8", "replace").replace("\r\n", "\n"), lines=True).strip()
        """What came in its place, safe to show."""


def encode_frame(message: Any) -> bytes:
    """A message as a frame.

    Raises:
        ProtocolError: it cannot travel, or is beyond the limits, so that the other side would refuse it.
    """
    payload = encode(message)
    if len(payload) > LARGEST_FRAME:
        raise ProtocolError(f"the answer has {len(payload):,} bytes, and a link takes {LARGEST_FRAME:,}")
    check_bounds(payload)
    if len(payload) > _COMPRESSED_FROM:
        smaller = zlib.compress(payload, 1)
        if len(smaller) < len(payload):
            return _HEAD.pack(_ZLIB, len(smaller)) + smaller
    return _HEAD.pack(_PLAIN, len(payload)) + payload


def decode_payload(kind: int, data: bytes, annotation: Any) -> Any:
    """The message of a frame.

    Args:
        kind: whether it is compressed.
        data: all after the frame's head.
        annotation: the messages that may come.

    Raises:
        ProtocolError: it is none of them, or not within the limits.
    """
    payload = _inflated(data) if kind == _ZLIB else data
    check_bounds(payload)
    return decode(annotation, payload)


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        payload = stream.decompress(data, LARGEST_FRAME + 1)
    except zlib.error as error:
        raise ProtocolError("a compressed message is damaged") from error
    if len(payload) > LARGEST_FRAME or not stream.eof or stream.unused_data:
        raise ProtocolError("a compressed message is too large, or does not end where it says")
    return payload


class FrameReader:
    """Reads frames.

    Args:
        read: gives at most so many bytes, at least one unless the stream has ended.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._buffer = bytearray()

    def begin(self) -> None:
        """Skip noise up to the magic.

        Raises:
            NoFrames: there is none.
        """
        while MAGIC not in self._buffer:
            data = self._read(4096)
            self._buffer += data
            if not data or len(self._buffer) > MOST_NOISE:
                raise NoFrames(bytes(self._buffer[:MOST_NOISE]))
        del self._buffer[: self._buffer.index(MAGIC) + len(MAGIC)]

    def next(self, annotation: Any) -> tuple[Any, int] | None:
        """The next message, and its bytes on the wire; None at the end of the stream, be it within a frame.

        Args:
            annotation: the messages that may come.

        Raises:
            ProtocolError: it is no frame, or not within the limits.
        """
        head = self._take(_HEAD.size)
        if head is None:
            return None
        kind, length = _HEAD.unpack(head)
        if kind not in (_PLAIN, _ZLIB) or length > LARGEST_FRAME:
            raise ProtocolError("the other side sent something that is no frame")
        data = self._take(length)
        return None if data is None else (decode_payload(kind, data, annotation), _HEAD.size + length)

    def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            data = self._read(1 << 16)
            if not data:
                return None
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
