"""The calling convention of `torch.nn.LSTM`, `GRU` and `RNN`: shapes in, shapes out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from lstmtui.cells.layout import Layout
from lstmtui.models.stack import valid_steps
from lstmtui.models.unroll import States, hx_of
from lstmtui.wording import counted, listed


class Call:
    """One call of a recurrent module, its arguments checked and laid out as (T, B, ·).

    Args:
        layout: the module's sizes.
        x: (T, B, input), (B, T, input) if batch_first, or (T, input) unbatched.
        hx: the initial h, or (h, c), each (layers·directions, B, units), without B if unbatched.
        lengths: int (B,), or None where every sequence has T timesteps.
        batch_first: as in PyTorch.

    Raises:
        TypeError: x is not a tensor.
        ValueError: a shape does not fit; the message gives the one expected and the one found.
    """

    def __init__(
        self,
        layout: Layout,
        x: Tensor,
        hx: Tensor | tuple[Tensor, ...] | None,
        lengths: Tensor | None,
        batch_first: bool,
    ) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"x: expected a tensor, found {type(x).__name__}")
        self.layout = layout
        self.batched = x.dim() == 3
        self.batch_first = batch_first and self.batched
        if x.dim() not in (2, 3) or x.shape[-1] != layout.input_size:
            raise ValueError(f"x: expected (T, B, {layout.input_size}), found {tuple(x.shape)}")
        if not self.batched:
            x = x.unsqueeze(1)
        self.x = x.transpose(0, 1) if self.batch_first else x
        steps, batch = self.x.shape[:2]
        if steps == 0:
            raise ValueError("x: a sequence needs at least one timestep")
        self.states = self._initial(hx, batch)
        self.lengths = (
            None if lengths is None else self._checked(torch.as_tensor(lengths, device="cpu"), steps, batch)
        )
        self.valid = valid_steps(self.lengths, steps)

    @property
    def axes(self) -> tuple[Literal["time", "batch"], ...]:
        """The first axes of x and of the output, as the caller lays them out."""
        if not self.batched:
            return ("time",)
        return ("batch", "time") if self.batch_first else ("time", "batch")

    def result(self, output: Tensor, states: States) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """The output and the last states as the caller expects them."""
        if self.batch_first:
            output = output.transpose(0, 1)
        if not self.batched:
            output = output.squeeze(1)
            states = tuple(s.squeeze(1) for s in states)
        return output, hx_of(states)

    def _initial(self, hx: Tensor | tuple[Tensor, ...] | None, batch: int) -> States:
        names = self.layout.cell.states
        count = self.layout.num_layers * len(self.layout.directions)
        shapes = [(count, batch, self.layout.state_size(name)) for name in names]
        if hx is None:
            before = self.layout.cell.initial
            return tuple(
                self.x.new_full(shape, before.get(name, 0.0))
                for name, shape in zip(names, shapes, strict=True)
            )
        states = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if len(states) != len(names):
            raise ValueError(f"hx: expected {listed(names)}, found {counted(len(states), 'tensor')}")
        if not self.batched:
            states = tuple(g.unsqueeze(1) for g in states)
        for name, state, shape in zip(names, states, shapes, strict=True):
            if state.shape != shape:
                raise ValueError(f"hx: {name} must be {shape}, is {tuple(state.shape)}")
        return states

    def _checked(self, lengths: Tensor, steps: int, batch: int) -> Tensor:
        if lengths.shape != (batch,):
            raise ValueError(f"lengths: expected ({batch},), found {tuple(lengths.shape)}")
        if int(lengths.min()) < 1 or int(lengths.max()) > steps:
            raise ValueError(f"lengths: each must lie between 1 and {steps}")
        return lengths.to(self.x.device, torch.int64)


def packed_like(packed: PackedSequence, output: Tensor, lengths: Tensor, batch_first: bool) -> PackedSequence:
    """A padded output packed as its input was, sequence by sequence.

    Args:
        packed: the input.
        output: (T, B, ·), or (B, T, ·) if batch_first.
        lengths: int (B,), on the CPU.
        batch_first: as in PyTorch.
    """
    order = packed.sorted_indices
    if order is not None:
        output = output.index_select(0 if batch_first else 1, order)
        lengths = lengths[order.cpu()]
    data = pack_padded_sequence(output, lengths, batch_first).data
    return PackedSequence(data, packed.batch_sizes, order, packed.unsorted_indices)
