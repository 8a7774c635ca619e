"""Values from the wire, built as an annotation says and in no other way."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from typing_extensions import TypeAliasType

from lstmtui.remote.annotations import hints_of
from lstmtui.remote.structure import ProtocolError
from lstmtui.session.expressions import Expression, compile_expression
from lstmtui.trace import Trace


@dataclass(frozen=True)
class Receiving:
    """How texts and references of the wire are taken."""

    text: Callable[[str], str] = str
    """What becomes of every text."""
    trace: Callable[[Any], Trace] | None = None
    """The trace a reference stands for."""


Unpack = Callable[[Any, Receiving], Any]

_LISTS = (tuple, list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_MAPS = (dict, collections.abc.Mapping)
_DEEPEST_PLAIN = 16


def unpack(annotation: Any, wire: Any, receiving: Receiving = Receiving()) -> Any:
    """A value of the type an annotation names.

    Args:
        annotation: of the types `pack` takes; their dataclasses are frozen. Fields that are not known are
            ignored, fields that are missing take their default. `object` keeps what the wire has, to be
            unpacked later.
        wire: what arrived.
        receiving: how texts and references are taken.

    Raises:
        ProtocolError: it is not of this type.
        UserError: a text that should be an expression is none.
    """
    return unpacker(annotation)(wire, receiving)


@cache
def unpacker(annotation: Any) -> Unpack:
    """What unpacks values of an annotation.

    Raises:
        TypeError: values of it cannot travel.
    """
    annotation = _without_alias(annotation)
    origin = get_origin(annotation)
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if origin is Literal:
        return _one_of(get_args(annotation))
    if origin in (Union, UnionType):
        return _any_of(tuple(unpacker(a) for a in get_args(annotation)))
    if annotation is np.ndarray or origin is np.ndarray:
        return _array
    if annotation in _LISTS or origin in _LISTS:
        return _sequence(origin or annotation, get_args(annotation) or (Any, ...))
    if annotation in _MAPS or origin in _MAPS:
        return _mapping(*(unpacker(a) for a in get_args(annotation) or (Any, Any)))
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        return _named_tuple(annotation)
    if is_dataclass(annotation) and annotation.__dataclass_params__.frozen:  # type: ignore[union-attr]
        return _frozen(annotation)
    raise TypeError(f"values of {annotation} cannot travel")


def _without_alias(annotation: Any) -> Any:
    """What an alias made by a `type` statement stands for, as `NDArray` is one from numpy 2.5 on."""
    alias = get_origin(annotation) or annotation
    if not isinstance(alias, TypeAliasType):
        return annotation
    arguments = get_args(annotation)
    return _without_alias(alias.__value__[arguments] if arguments else alias.__value__)


def _wrong(wire: Any) -> ProtocolError:
    return ProtocolError(f"the other end sent a {type(wire).__name__} where it has no place")


def _of(*types: type) -> Unpack:
    def unpacked(wire: Any, receiving: Receiving) -> Any:
        if type(wire) in types:
            return wire
        raise _wrong(wire)

    return unpacked


def _float(wire: Any, receiving: Receiving) -> float:
    if type(wire) in (float, int):
        return float(wire)
    raise _wrong(wire)


def _text(wire: Any, receiving: Receiving) -> str:
    if isinstance(wire, str):
        return receiving.text(wire)
    raise _wrong(wire)


def _array(wire: Any, receiving: Receiving) -> Any:
    if isinstance(wire, np.ndarray):
        return wire
    raise _wrong(wire)


def _range(wire: Any, receiving: Receiving) -> range:
    if isinstance(wire, list) and len(wire) == 3 and all(type(n) is int for n in wire) and wire[2]:
        return range(*wire)
    raise _wrong(wire)


def _expression(wire: Any, receiving: Receiving) -> Expression:
    if isinstance(wire, str):
        return compile_expression(wire)
    raise _wrong(wire)


def _trace(wire: Any, receiving: Receiving) -> Trace:
    if receiving.trace is None:
        raise _wrong(wire)
    return receiving.trace(wire)


def _plain(wire: Any, receiving: Receiving, depth: int = 0) -> Any:
    """Whatever it is, without any class of ours."""
    if isinstance(wire, str):
        return receiving.text(wire)
    if isinstance(wire, list) and depth < _DEEPEST_PLAIN:
        return tuple(_plain(one, receiving, depth + 1) for one in wire)
    if isinstance(wire, dict) and depth < _DEEPEST_PLAIN:
        return {_plain(k, receiving, depth + 1): _plain(v, receiving, depth + 1) for k, v in wire.items()}
    if wire is None or isinstance(wire, (bool, int, float, bytes, np.ndarray)):
        return wire
    raise _wrong(wire)


_SIMPLE: dict[Any, Unpack] = {
    Any: _plain,
    object: lambda wire, receiving: wire,
    None: _of(NoneType),
    NoneType: _of(NoneType),
    bool: _of(bool),
    int: _of(int),
    float: _float,
    bytes: _of(bytes),
    str: _text,
    range: _range,
    Expression: _expression,
    Trace: _trace,
}


def _one_of(values: tuple[Any, ...]) -> Unpack:
    def unpacked(wire: Any, receiving: Receiving) -> Any:
        for value in values:
            if type(value) is type(wire) and value == wire:
                return value
        raise _wrong(wire)

    return unpacked


def _any_of(unpackers: tuple[Unpack, ...]) -> Unpack:
    def unpacked(wire: Any, receiving: Receiving) -> Any:
        for one in unpackers:
            try:
                return one(wire, receiving)
            except ProtocolError:
                continue
        raise _wrong(wire)

    return unpacked


def _sequence(kind: Any, arguments: tuple[Any, ...]) -> Unpack:
    made: type = list if kind is list else tuple
    if kind is tuple and arguments[-1] is not ...:
        members = tuple(unpacker(a) for a in arguments if a != ())

        def fixed(wire: Any, receiving: Receiving) -> Any:
            if not isinstance(wire, list) or len(wire) != len(members):
                raise _wrong(wire)
            return tuple(one(part, receiving) for one, part in zip(members, wire, strict=True))

        return fixed
    member = unpacker(arguments[0])

    def unpacked(wire: Any, receiving: Receiving) -> Any:
        if not isinstance(wire, list):
            raise _wrong(wire)
        return made(member(part, receiving) for part in wire)

    return unpacked


def _mapping(key: Unpack, value: Unpack) -> Unpack:
    def unpacked(wire: Any, receiving: Receiving) -> Any:
        if not isinstance(wire, dict):
            raise _wrong(wire)
        return {key(k, receiving): value(v, receiving) for k, v in wire.items()}

    return unpacked


def _named_tuple(kind: Any) -> Unpack:
    hints = hints_of(kind)
    members = tuple(unpacker(hints[name]) for name in kind._fields)

    def unpacked(wire: Any, receiving: Receiving) -> Any:
        if not isinstance(wire, list) or len(wire) != len(members):
            raise _wrong(wire)
        return kind(*(one(part, receiving) for one, part in zip(members, wire, strict=True)))

    return unpacked


def _frozen(kind: Any) -> Unpack:
    hints = hints_of(kind)
    known = {f.name: unpacker(hints[f.name]) for f in fields(kind) if f.init}
    optional = {f.name for f in fields(kind) if (f.default, f.default_factory) != (MISSING, MISSING)}

    def unpacked(wire: Any, receiving: Receiving) -> Any:
        if not isinstance(wire, dict) or known.keys() - wire.keys() - optional:
            raise _wrong(wire)
        given = {name: one(wire[name], receiving) for name, one in known.items() if name in wire}
        try:
            return kind(**given)
        except (TypeError, ValueError) as error:
            raise _wrong(wire) from error

    return unpacked
