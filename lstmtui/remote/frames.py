"""Frames: messages on a byte stream, each with its length before it; bounded whatever the peer sends.

A stream begins with `MAGIC`. Each frame is a byte that says whether it is compressed, its length in four
bytes, and a msgpack map.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from lstmtui.printable import printable
from lstmtui.remote.structure import ProtocolError, check_structure
from lstmtui.remote.wire_arrays import unpack_array

MAGIC = b"\x00\x1a\xfflstmtui\x00\r\n\x7f"
"""Begins each stream. No start-up file of a shell writes it, and a terminal in between would change it."""
MOST_NOISE = 1 << 16
"""Bytes before the magic that are put up with."""
LARGEST_FRAME = 1 << 24
"""Bytes, compressed or not."""
_COMPRESSED_FROM = 1 << 10
_HEAD = struct.Struct(">BI")
_PLAIN, _ZLIB = 0, 1

Message = dict[str, Any]


class NoFrames(ProtocolError):
    """The stream ended, or went on for too long, without a first frame."""

    def __init__(self, noise: bytes) -> None:
        super().__init__("the far end did not answer as lstmtui does")
        self.noise = printable(noise.decode("utf-8", "replace").replace("\r\n", "\n"), lines=True).strip()
        """What came in its place, safe to show."""


def pack_frame(message: Mapping[str, Any]) -> bytes:
    """A message as a frame.

    Raises:
        ProtocolError: it is too large.
    """
    payload = packed(message)
    if len(payload) > LARGEST_FRAME:
        raise ProtocolError(f"the answer has {len(payload):,} bytes, and a link takes {LARGEST_FRAME:,}")
    if len(payload) > _COMPRESSED_FROM:
        smaller = zlib.compress(payload, 1)
        if len(smaller) < len(payload):
            return _HEAD.pack(_ZLIB, len(smaller)) + smaller
    return _HEAD.pack(_PLAIN, len(payload)) + payload


def packed(value: Any) -> bytes:
    """Values of the wire as msgpack; equal ones give equal bytes."""
    try:
        data: bytes = msgpack.packb(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"a value cannot travel: {error}") from error
    return data


def unpack_payload(kind: int, data: bytes) -> Message:
    """The message of a frame.

    Raises:
        ProtocolError: it is none, or not within the limits.
    """
    payload = _inflated(data) if kind == _ZLIB else data
    check_structure(payload)
    try:
        message = msgpack.unpackb(payload, ext_hook=unpack_array, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a message cannot be read: {error}") from error
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise ProtocolError("a message is not a map")
    return message


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

    def next(self) -> tuple[Message, int] | None:
        """The next message, and its bytes on the wire; None at the end of the stream, be it within a frame.

        Raises:
            ProtocolError: it is no frame, or not within the limits.
        """
        head = self._take(_HEAD.size)
        if head is None:
            return None
        kind, length = _HEAD.unpack(head)
        if kind not in (_PLAIN, _ZLIB) or length > LARGEST_FRAME:
            raise ProtocolError("the other end sent something that is no frame")
        data = self._take(length)
        return None if data is None else (unpack_payload(kind, data), _HEAD.size + length)

    def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            data = self._read(1 << 16)
            if not data:
                return None
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
