"""Values as msgpack: encoded from what they are, decoded as an annotation says and in no other way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_origin

import msgspec
import numpy as np
from msgspec import structs

from lstmtui.errors import UserError
from lstmtui.expressions import Expression, open_vocabulary
from lstmtui.printable import printable
from lstmtui.remote.wire.arrays import decode_array, encode_array
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.trace import Trace

_LONGEST_REASON = 200

ReferenceOf = Callable[[Trace], Any]
"""Gives the reference that a trace travels as."""
TraceOf = Callable[[Any], Trace]
"""Gives the trace that a reference stands for."""


def _no_reference(trace: Trace) -> Any:
    raise ProtocolError(f"a whole trace cannot travel: {trace.name}")


def _no_trace(reference: Any) -> Trace:
    raise ProtocolError("the other side sent a trace where it has no place")


def encode(value: Any, reference_of: ReferenceOf = _no_reference, *, half: bool = False) -> bytes:
    """A value as msgpack; equal values give equal bytes.

    An expression becomes its text, a range its three numbers, a dataclass a map of its fields.

    Args:
        value: None, truths, numbers, texts, bytes, arrays, ranges, expressions, traces, and sequences, maps,
            structs and dataclasses of them.
        reference_of: what a trace becomes.
        half: arrays of floats may lose half of their precision, see `encode_array`.

    Raises:
        ProtocolError: it is of another type, or an integer of more than 64 bits.
    """

    def as_plain_value(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return encode_array(value, half=half)
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, range):
            return (value.start, value.stop, value.step)
        if isinstance(value, Expression):
            return value.text
        if isinstance(value, Trace):
            return reference_of(value)
        if isinstance(value, Mapping):
            return dict(value)
        raise ProtocolError(f"a {type(value).__name__} cannot travel")

    try:
        try:
            return msgspec.msgpack.encode(value, enc_hook=as_plain_value)
        except UnicodeEncodeError:  # as in a file's name that is not UTF-8
            valid = map_texts(value, lambda text: text.encode("utf-8", "replace").decode())
            return msgspec.msgpack.encode(valid, enc_hook=as_plain_value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"a value cannot travel: {error}") from error


def decode(annotation: Any, data: bytes | msgspec.Raw, trace_of: TraceOf = _no_trace) -> Any:
    """A value of the type that an annotation names.

    Args:
        annotation: of the types that `encode` takes. Fields of another name are ignored, fields that are
            missing take their default.
        data: msgpack within the bounds of `check_bounds`.
        trace_of: gives the trace that a reference stands for.

    Raises:
        ProtocolError: the data is not of this type.
        UserError: a text that should be an expression is none, or no value of this type can travel.
    """

    def as_annotated(kind: Any, value: Any) -> Any:
        kind = get_origin(kind) or kind
        if kind is np.ndarray and isinstance(value, np.ndarray):
            return value
        if kind is range and isinstance(value, list):
            start, stop, step = msgspec.convert(value, tuple[int, int, int])
            return range(start, stop, step)
        if kind is Expression and isinstance(value, str):
            return Expression(value, open_vocabulary())
        if kind is Trace:
            return trace_of(value)
        raise ValueError(f"a {type(value).__name__} has no place here")

    try:
        decoder = msgspec.msgpack.Decoder(annotation, dec_hook=as_annotated, ext_hook=_as_array)
    except TypeError as error:
        raise UserError(f"this lstmtui cannot read what it asks for: {error}") from error
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        reason = printable(str(error)[:_LONGEST_REASON])
        raise ProtocolError(f"the other side sent what has no place here: {reason}") from error


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text changed, including the keys of maps."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([map_texts(member, change) for member in value])
    if isinstance(value, Mapping):
        return {map_texts(key, change): map_texts(member, change) for key, member in value.items()}
    if isinstance(value, msgspec.Struct):
        members = {name: map_texts(getattr(value, name), change) for name in value.__struct_fields__}
        return structs.replace(value, **members)
    if is_dataclass(value) and not isinstance(value, type):
        members = {f.name: map_texts(getattr(value, f.name), change) for f in fields(value) if f.init}
        return replace(value, **members)
    return value


def _as_array(code: int, data: memoryview) -> Any:
    return decode_array(code, bytes(data))
