"""Attributes of the user's objects, read and bound without running code of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import MemberDescriptorType
from typing import Any

from torch import Tensor, nn

from lstmtui.errors import UserError
from lstmtui.models.torch_compat import own_buffers


def attribute(local: Any, written: str) -> Any:
    """What self.hidden is; None where it is not kept in the object.

    Args:
        local: the names of a frame.
        written: the attribute as the source writes it.
    """
    first, *names = written.split(".")
    value = local.get(first)
    for name in names:
        value = _kept(value, name)
    return value


def set_attribute(local: Any, written: str, value: Tensor) -> None:
    """Bind an attribute to a tensor.

    Raises:
        UserError: it is not kept in the object: a place in a tuple, a property.
    """
    *names, last = written.split(".")
    owner = attribute(local, ".".join(names))
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
