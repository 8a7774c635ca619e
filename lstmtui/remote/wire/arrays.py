"""Arrays on the wire: shape, type and bytes; arrays that are only drawn travel with half the precision."""

from __future__ import annotations

import struct
from math import prod

import numpy as np
from msgspec.msgpack import Ext

from lstmtui.arrays import Array, halved, restored
from lstmtui.remote.wire.bounds import ARRAY, ProtocolError

_HEAD = struct.Struct("<cBBhB")
"""Kind and bytes of a number, bytes of a number on the wire, the power of two it is scaled by, dimensions."""
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}
_MOST_DIMENSIONS = 8


def encode_array(array: Array, *, half: bool = False) -> Ext:
    """An array of truths, integers or floats.

    Args:
        array: of any shape.
        half: float32 and float64 travel as float16, scaled by a power of two to their largest number. The
            error is at most 2⁻¹¹ of each number, and of those below 2⁻²⁸ of the largest at most 2⁻⁴⁰ of
            the largest. Zeros, NaN and infinities stay what they are, and no other number becomes one.

    Raises:
        ProtocolError: it holds something else.
    """
    array = np.asarray(array)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if size not in _SIZES.get(kind, ()) or array.ndim > _MOST_DIMENSIONS:
        raise ProtocolError(f"an array of {array.dtype} with {array.ndim} dimensions cannot travel")
    sent, shift = array, 0
    if half and kind == "f" and size > 2:
        sent, shift = halved(array)
    sent = np.ascontiguousarray(sent, dtype=sent.dtype.newbyteorder("<"))
    head = _HEAD.pack(kind.encode(), size, sent.dtype.itemsize, shift, array.ndim)
    shape = struct.pack(f"<{array.ndim}Q", *array.shape)
    return Ext(ARRAY, head + shape + sent.tobytes())


def decode_array(code: int, data: bytes) -> Array:
    """What `encode_array` made, read-only.

    Raises:
        ProtocolError: it did not make this.
    """
    if code != ARRAY or len(data) < _HEAD.size:
        raise ProtocolError("an array is cut off")
    letter, size, sent_size, shift, ndim = _HEAD.unpack_from(data)
    kind = letter.decode("latin-1")
    if size not in _SIZES.get(kind, ()) or (sent_size != size and (kind, sent_size) != ("f", 2)):
        raise ProtocolError("an array holds numbers of no type that is known")
    start = _HEAD.size + 8 * ndim
    if ndim > _MOST_DIMENSIONS or len(data) < start:
        raise ProtocolError("an array has too many dimensions")
    shape = struct.unpack_from(f"<{ndim}Q", data, _HEAD.size)
    if prod(shape) * sent_size != len(data) - start or max(shape, default=0) >= 1 << 48:
        raise ProtocolError("an array does not have the size it says")
    flat = np.frombuffer(data, np.dtype(f"<{'u' if kind == 'b' else kind}{sent_size}"), offset=start)
    if kind == "b":
        flat = flat != 0
    elif sent_size != size or shift:
        flat = restored(flat, shift, np.dtype(f"{kind}{size}"))
    array = flat.reshape(shape)
    array.setflags(write=False)
    return array
