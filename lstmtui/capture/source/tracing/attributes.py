"""Attributes of the user's objects and items of lists and dicts, read and bound without running code."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import cache
from keyword import iskeyword
from types import FrameType, MemberDescriptorType
from typing import Any

from torch import Tensor, nn

from lstmtui.errors import UserError
from lstmtui.models.torch_compat import own_buffers

_PLACES = re.compile(r"\.(\w+)|\[('\w+'|-?\w+(?:[+-]\d+)?)\]")
"""An attribute, or an item of a dict or a list: ['h'], [0], [-1], [t], [t+1]."""
_INDEX = re.compile(r"(-?\w+?)([+-]\d+)?")
_ITEM = re.compile(r"\[[^']+\]$")


def held(local: Any, written: str) -> Any:
    """What h, self.hidden, state['h'] or states[t] is; None where it is not there, or not kept in the object.

    Args:
        local: the names of a frame.
        written: the name as the source writes it.
    """
    if "." not in written and "[" not in written:
        return local.get(written)
    first, *places = _parts(written)
    value = local.get(first)
    for place in places:
        value = _item(value, place[1:], local) if place[0] == "[" else _kept(value, place)
    return value


class WithGlobals:
    """The names of a frame with those global ones that its function binds.

    Args:
        frame: that runs.
        names: the global ones.
    """

    def __init__(self, frame: FrameType, names: Collection[str]) -> None:
        self._local, self._global, self._names = frame.f_locals, frame.f_globals, names

    def get(self, name: str) -> Any:
        """What a name is bound to, or None."""
        return (self._global if name in self._names else self._local).get(name)

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names of the frame itself, and what they are bound to."""
        return self._local.items()

    def __setitem__(self, name: str, value: Any) -> None:
        (self._global if name in self._names else self._local)[name] = value


def is_item(written: str) -> bool:
    """Whether it is an item at a number, such as states[t] or states[-1]."""
    return written[-1] == "]" and _ITEM.search(written) is not None


@cache
def is_bindable(written: str) -> bool:
    """Whether it is a name, an attribute or an item: not `return`."""
    name = _PLACES.sub("", written)
    return name.isidentifier() and not iskeyword(name)


@cache
def _parts(written: str) -> tuple[str, ...]:
    """h, then attributes by their names and items by their keys, which [ leads."""
    places = [name or f"[{key}" for name, key in _PLACES.findall(written)]
    return re.split(r"[.\[]", written, maxsplit=1)[0], *places


def put(local: Any, written: str, value: Tensor) -> None:
    """Bind a name of a frame, an attribute or an item of what is in one to a tensor.

    Raises:
        UserError: it is not kept in the object: a place in a tuple, a property.
    """
    *_, last = _parts(written)
    if last == written:
        local[written] = value
        return
    owner = held(local, written[: [*_PLACES.finditer(written)][-1].start()])
    if last[0] == "[" and (kind := _kind(owner)) not in (None, tuple):
        kind.__setitem__(owner, _key(last[1:], local), value)
        return
    attributes = _dict_of(owner)
    for own in _names(owner, last):
        slot = _slot(owner, own)
        if isinstance(owner, nn.Module) and own in own_buffers(owner):
            own_buffers(owner)[own] = value
        elif slot is not None:
            slot.__set__(owner, value)
        elif own in attributes or (own == last and hasattr(type(owner), "__dict__")):
            attributes[own] = value
        else:
            continue
        return
    raise UserError(f"{written} is not a name that can be given another value")


def _item(owner: Any, key: str, local: Any) -> Any:
    kind = _kind(owner)
    if kind is None:
        return None
    try:
        return kind.__getitem__(owner, _key(key, local))
    except (KeyError, IndexError, TypeError):
        return None


def _kind(owner: Any) -> Any:
    """The class of Python's whose items an object has; None where it has none."""
    return next((kind for kind in (dict, list, tuple, deque) if isinstance(owner, kind)), None)


def _key(written: str, local: Any) -> Any:
    """The key or the number of an item, of which the source may write the name."""
    if written[0] == "'":
        return written[1:-1]
    match = _INDEX.fullmatch(written)
    assert match is not None
    name, more = match.groups()
    number = local.get(name) if name.isidentifier() else int(name)
    return number + int(more) if more and type(number) is int else number


def _kept(owner: Any, name: str) -> Any:
    attributes = _dict_of(owner)
    if name in attributes:
        return attributes[name]
    for own in _names(owner, name):
        if own in attributes:
            return attributes[own]
        if isinstance(owner, nn.Module):
            for held in ("_buffers", "_modules"):
                if own in attributes.get(held, {}):
                    return attributes[held][own]
        slot = _slot(owner, own)
        if slot is not None:
            with suppress(AttributeError):  # nothing was bound to it so far
                return slot.__get__(owner)
    return None


def _dict_of(owner: Any) -> dict[str, Any]:
    """What an object keeps, without asking its class, whose __getattr__ may run anything."""
    try:
        attributes = object.__getattribute__(owner, "__dict__")
    except Exception:
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _names(owner: Any, name: str) -> Iterator[str]:
    """What an attribute may really be called: Python puts the class's name before one like self.__h."""
    if name.startswith("__") and not name.endswith("__"):
        yield from (f"_{cls.__name__.lstrip('_')}{name}" for cls in type(owner).__mro__)
    yield name


def _slot(owner: Any, name: str) -> MemberDescriptorType | None:
    """What __slots__ made for an attribute."""
    for cls in type(owner).__mro__:
        if name in vars(cls):
            slot = vars(cls)[name]
            return slot if isinstance(slot, MemberDescriptorType) else None
    return None
