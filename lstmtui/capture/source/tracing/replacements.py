"""Values that take the place of those that code binds its names to, while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.source.bindings import Call, Passes
from lstmtui.capture.source.complex_numbers import real_parts
from lstmtui.capture.source.tracing.addresses import Address, Addresses
from lstmtui.capture.source.tracing.attributes import put
from lstmtui.capture.source.tracing.tensors import Named
from lstmtui.models.torch_compat import version_of


@dataclass(frozen=True)
class Replacement:
    """Some numbers of a tensor are others."""

    positions: Tensor
    """Of the tensor's numbers, in row-major order."""
    value: float


class Replacements:
    """What is put in place, by where it is bound.

    Args:
        addresses: of the run whose bindings these are.
        wanted: the replacements; where two meet, the later one counts.
        kept: where a tensor is bound that is wanted as it is in the graph; None: nowhere.
    """

    def __init__(
        self,
        addresses: Addresses,
        wanted: dict[Address, list[Replacement]],
        kept: Address | None = None,
    ) -> None:
        self._addresses, self._wanted, self._kept = addresses, wanted, kept
        self.tensor: Tensor | None = None
        """The one that is wanted, once it was bound."""
        self.count = 0
        """How many bindings were replaced."""

    def put(self, local: Any, call: Call, passes: Passes, named: Named) -> Named:
        """A name, bound to what is put in place of its tensor, if anything is.

        Args:
            local: the names of the frame.
            call: of its function.
            passes: the loops that the line is in.
            named: the name, and what it is bound to.
        """
        name, value, version, line, why = named
        other = self.instead(call, name, line, passes, value)
        if other is not value:
            put(local, name, other)
            version = version_of(other)
        return name, other, version, line, why

    def instead(self, call: Call, name: str, line: int, passes: Passes, value: Tensor) -> Tensor:
        """What a name is to be bound to: the value itself, or a tensor with some numbers in place of its own.

        As code would by `torch.where`: what was made of the numbers that are replaced has no part in what
        follows, and everything else is differentiated as before.
        """
        address = self._addresses.of(call, name, line, passes)
        wanted = self._wanted.get(address)
        for replacement in wanted or ():
            numbers = real_parts(value)
            mask = torch.zeros(numbers.shape, dtype=torch.bool, device=value.device)
            mask.view(-1)[replacement.positions.to(value.device)] = True
            other = torch.tensor(replacement.value, dtype=numbers.dtype, device=value.device)
            numbers = torch.where(mask, other, numbers)
            value = torch.view_as_complex(numbers) if value.is_complex() else numbers
        self.count += bool(wanted)
        if address == self._kept:
            self.tensor = real_parts(value)
        return value

    def see(self, call: Call, name: str, line: int, passes: Passes, value: Tensor) -> None:
        """A name that nothing can be put in place of is bound to a tensor."""
        if self._addresses.of(call, name, line, passes) == self._kept:
            self.tensor = real_parts(value)
