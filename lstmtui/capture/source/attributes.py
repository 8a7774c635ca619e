"""Attributes of the user's objects and items of dicts, read and bound without running code of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from keyword import iskeyword
from types import MemberDescriptorType
from typing import Any

from torch import Tensor, nn

from lstmtui.errors import UserError
from lstmtui.models.torch_compat import own_buffers

_PLACES = re.compile(r"\.(\w+)|\['(\w+)'\]")
"""An attribute, or an item of a dict."""


def held(local: Any, written: str) -> Any:
    """What h, self.hidden or state['h'] is; None where it is not there, or not kept in the object.

    Args:
        local: the names of a frame.
        written: the name as the source writes it.
    """
    if "." not in written and "[" not in written:
        return local.get(written)
    first, *places = _parts(written)
    value = local.get(first)
    for place in places:
        value = _item(value, place[1:]) if place[0] == "[" else _kept(value, place)
    return value


@cache
def is_bindable(written: str) -> bool:
    """Whether it is a name, an attribute or an item of a dict: no place in a tuple or a list, no `return`."""
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
    if last[0] == "[" and isinstance(owner, dict):
        dict.__setitem__(owner, last[1:], value)
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
    raise UserError(f"{written}: is no name that another value can be put into")


def _item(owner: Any, key: str) -> Any:
    return dict.get(owner, key) if isinstance(owner, dict) else None


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
