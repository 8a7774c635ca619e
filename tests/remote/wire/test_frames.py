"""Frames: what goes in comes out, and nothing a peer sends goes beyond the limits."""

from __future__ import annotations

import io
import random
import resource
import struct
import sys
import typing
import zlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from lstmtui.remote.wire.arrays import decode_array, encode_array
from lstmtui.remote.wire.bounds import DEEPEST, LONGEST_TEXT, MOST_ELEMENTS, ProtocolError
from lstmtui.remote.wire.encoding import decode, encode
from lstmtui.remote.wire.frames import LARGEST_FRAME, MAGIC, FrameReader, NoFrames, encode_frame

MESSAGES: list[dict[str, Any]] = [
    {},
    {"id": 1, "value": None, "é": "∂", "deep": [[[{"a": [1, -1, 2**40, 1.5, float("inf")]}]]]},
    {"long": "x" * 5000, "bytes": b"\x00" * 70_000, "many": list(range(300))},
    {"array": np.arange(12, dtype=np.float32).reshape(3, 4)},
]


def read(data: bytes) -> Any:
    got = FrameReader(io.BytesIO(data).read).next(dict[str, Any])
    return None if got is None else got[0]


def frame(payload: bytes, kind: int = 0) -> bytes:
    return struct.pack(">BI", kind, len(payload)) + payload


def test_messages_come_out_as_they_went_in_whatever_the_pieces_they_arrive_in() -> None:
    stream = io.BytesIO(MAGIC + b"".join(encode_frame(message) for message in MESSAGES))
    reader = FrameReader(lambda most: stream.read(min(most, 7)))
    reader.begin()
    for message in MESSAGES[:3]:
        assert reader.next(dict[str, Any])[0] == message  # type: ignore[index]
    array = reader.next(dict[str, Any])[0]["array"]  # type: ignore[index]
    assert array.dtype == np.float32
    assert array.tolist() == np.arange(12.0).reshape(3, 4).tolist()
    assert reader.next(dict[str, Any]) is None


def test_a_stream_that_is_cut_ends_wherever_the_cut_is() -> None:
    data = encode_frame(MESSAGES[1])
    assert all(read(data[:cut]) is None for cut in range(len(data)))


def test_noise_before_the_first_frame_is_skipped_and_kept_for_a_message_where_no_frame_comes() -> None:
    noise = b"Welcome to gpu!\r\n\x1b[31mlstmtui\x1b[0m\r\n"
    stream = io.BytesIO(noise + MAGIC + encode_frame({"a": 1}))
    reader = FrameReader(stream.read)
    reader.begin()
    assert reader.next(dict[str, Any])[0] == {"a": 1}  # type: ignore[index]
    with pytest.raises(NoFrames) as caught:
        FrameReader(io.BytesIO(noise).read).begin()
    assert caught.value.noise == "Welcome to gpu!\n␛[31mlstmtui␛[0m"
    endless = io.BytesIO(b"y\n" * 1_000_000)
    with pytest.raises(NoFrames):
        FrameReader(endless.read).begin()
    assert endless.tell() < 100_000


NESTED = b"\x91" * (DEEPEST + 1) + b"\xc0"


@pytest.mark.parametrize(
    "data",
    [
        frame(b"\x80", kind=2),
        struct.pack(">BI", 0, LARGEST_FRAME + 1),
        frame(b"\x90"),
        frame(b"\x81\x01\x02"),
        frame(b"\x81"),
        frame(b"\x80\x80"),
        frame(b""),
        frame(b"\xc1"),
        frame(msgspec.msgpack.encode({"a": datetime(2020, 1, 2, 3, 4, 5, 6, UTC)})),
        frame(msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(5, b"x")})),
        frame(b"\x81\xa1a" + NESTED),
        frame(b"\x81\xa1a\xdd" + struct.pack(">I", 2**32 - 1)),
        frame(b"\x81\xa1a\xdf" + struct.pack(">I", 2**31)),
        frame(b"\x81\xa1a\xc6" + struct.pack(">I", 2**32 - 1)),
        frame(b"\x81\xa1a\xdd" + struct.pack(">I", MOST_ELEMENTS) + b"\x90" * MOST_ELEMENTS),
        frame(msgspec.msgpack.encode({"a": "x" * (LONGEST_TEXT + 1)})),
        frame(b"\x81\xa1a\xa1\xff"),
        frame(zlib.compress(b"\x00" * (LARGEST_FRAME + 1)), kind=1),
        frame(zlib.compress(b"\x80") + b"more", kind=1),
        frame(zlib.compress(b"\x80" * 100)[:-6], kind=1),
        frame(b"not zlib", kind=1),
    ],
)
def test_what_is_no_frame_or_beyond_the_limits_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(data)


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        encode_frame({"a": random.Random(0).randbytes(LARGEST_FRAME)})


ARRAYS = [
    np.zeros(0, np.float32),
    np.array(True),
    np.arange(6, dtype=np.int64).reshape(1, 2, 3)[:, ::-1],
    np.array([[1.5, np.nan], [np.inf, -np.inf]]),
    np.array([-128, 127], np.int8),
    np.array([0, 2**64 - 1], np.uint64),
    np.array([1.0, 2.0], ">f8"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_travel_bit_by_bit(array: np.ndarray[Any, Any]) -> None:
    packed = encode_array(array)
    found = decode_array(packed.code, bytes(packed.data))
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-38, 1e-6, 1.0, 3.4e38])
def test_pictures_lose_half_their_precision_and_nothing_else(dtype: type, scale: float) -> None:
    random_numbers = np.random.default_rng(0)
    values = (random_numbers.uniform(1e-6, 1, 500) * random_numbers.choice([-1, 1], 500) * scale).astype(
        dtype
    )
    values[:6] = [
        0.0,
        -0.0,
        np.nan,
        np.inf,
        -np.inf,
        min(scale, 1.0) * np.finfo(np.float32).max ** (scale > 1),
    ]
    packed = encode_array(values, half=True)
    assert len(packed.data) < 0.6 * values.astype(np.float32).nbytes + 20
    found = decode_array(packed.code, bytes(packed.data))
    assert found.dtype == dtype
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(values))
    np.testing.assert_array_equal(found == 0, values == 0)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(values))
    finite = np.isfinite(values) & (values != 0)
    apart = np.abs(found[finite].astype(np.float64) - values[finite]) / np.abs(values[finite])
    # Numbers of float32 that are subnormal are themselves rounded once more.
    assert apart.max() <= 2.0**-11 * (1.001 if scale > 1e-30 or dtype is np.float64 else 1.5)


def test_pictures_of_numbers_far_apart_keep_signs_and_what_is_zero() -> None:
    values = np.array([-1e-300, 0.0, 1e-30, 1.0, -1e30])
    packed = encode_array(values, half=True)
    found = decode_array(packed.code, bytes(packed.data))
    np.testing.assert_array_equal(np.sign(found), np.sign(values))
    assert np.abs(found - values).max() <= 2.0**-11 * 1e30


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.array([1j]), np.zeros((1,) * 9)])
def test_arrays_of_anything_else_do_not_travel(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ProtocolError):
        encode_array(array)


def test_ten_thousand_mutated_frames_are_refused_or_read_in_bounded_memory_and_time() -> None:
    chance = random.Random(4)
    frames = [encode_frame(message) for message in MESSAGES]
    frames += [frame(msgspec.msgpack.encode(message)) for message in MESSAGES[:2]]
    refused = 0
    for _ in range(10_000):
        data = bytearray(chance.choice(frames))
        for _ in range(chance.choice((1, 1, 2, 8))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data))
        except ProtocolError:
            refused += 1
    assert refused > 3000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20  # KiB


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no type aliases of this kind")
def test_an_annotation_that_is_a_type_alias_is_what_it_stands_for() -> None:
    """`numpy.typing.NDArray` is one from numpy 2.5 on."""
    scalar = typing.TypeVar("scalar", bound=np.generic)
    array = np.ndarray[tuple[Any, ...], np.dtype[scalar]]  # type: ignore[type-var]
    alias = typing.TypeAliasType("alias", array, type_params=(scalar,))  # type: ignore[attr-defined]
    numbers, one = decode(tuple[alias[np.float64], int], encode((np.arange(3.0), 1)))
    np.testing.assert_array_equal(numbers, np.arange(3.0))
    assert one == 1
    assert decode(alias[np.float64] | None, encode(None)) is None


def test_texts_that_are_no_unicode_travel_with_a_question_mark() -> None:
    """As names of files that are not UTF-8 have them."""
    assert decode(dict[str, str], encode({"a\udcff": "b\ud800"})) == {"a?": "b?"}
