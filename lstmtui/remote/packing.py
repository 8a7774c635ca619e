"""Values made ready for the wire: what msgpack knows, and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from lstmtui.remote.structure import LONGEST_TEXT, ProtocolError
from lstmtui.remote.wire_arrays import pack_array
from lstmtui.session.expressions import Expression
from lstmtui.trace import Trace

Refer = Callable[[Trace], Any]
"""Gives the reference a trace travels as."""


def refuse_traces(trace: Trace) -> Any:
    """For messages that have no place for a trace.

    Raises:
        ProtocolError: always.
    """
    raise ProtocolError(f"a whole trace cannot travel: {trace.name}")


def pack(value: Any, refer: Refer = refuse_traces, *, half: bool = False) -> Any:
    """A value as the wire has it.

    An expression becomes its text, a range its three numbers, a dataclass a map of its fields.

    Args:
        value: None, truths, numbers, texts, arrays, ranges, expressions, traces, and sequences, maps and
            dataclasses of them.
        refer: what a trace becomes.
        half: arrays of floats may lose half of their precision, see `pack_array`.

    Raises:
        ProtocolError: it is of another type, an integer of more than 64 bits, or a text that is too long.
    """
    if value is None or isinstance(value, (bool, float)):
        return float(value) if isinstance(value, float) else value
    if isinstance(value, (str, int)):
        return _checked(value)
    if isinstance(value, np.ndarray):
        return pack_array(value, half=half)
    if isinstance(value, np.generic):
        return pack(value.item(), refer)
    if isinstance(value, range):
        return [value.start, value.stop, value.step]
    if isinstance(value, Expression):
        return _checked(value.text)
    if isinstance(value, Trace):
        return refer(value)
    if isinstance(value, (tuple, list)):
        return [pack(one, refer, half=half) for one in value]
    if isinstance(value, Mapping):
        return {_checked(key): pack(one, refer, half=half) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: pack(getattr(value, f.name), refer, half=half) for f in fields(value) if f.init}
    raise ProtocolError(f"a {type(value).__name__} cannot travel")


def _checked(value: Any) -> str | int:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT // 4 and len(value.encode("utf-8", "replace")) > LONGEST_TEXT:
            raise ProtocolError("a text is too long to travel")
        return value.encode("utf-8", "replace").decode()
    if type(value) is int and -(1 << 63) <= value < 1 << 64:
        return value
    raise ProtocolError("a number is too large to travel, or a key is neither text nor number")
