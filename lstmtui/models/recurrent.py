"""`Recurrent`: any cell as an `nn.Module` that is called, trained and loaded like `torch.nn.LSTM`."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.layout import Layout
from lstmtui.cells.registry import BUILT_IN, check
from lstmtui.models.calls import Call, packed_like
from lstmtui.models.fitting import check_fit
from lstmtui.models.stack import run_stack, scan_with


class Recurrent(nn.Module):
    """One or more layers of one kind of cell, in one or both directions; used and trained like `nn.LSTM`.

    Args:
        cell: a name from `lstmtui help quantities`, such as rnn_tanh, lstm or gru, or an `lstmtui.Cell`.
        input_size: the number of features of x.
        hidden_size: the number of units.
        num_layers: how many layers are stacked.
        bidirectional: whether a second stack of cells reads the sequence backwards.
        proj_size: the size to which h is projected (LSTM family only); 0 for no projection.
        bias: whether the cells have biases.
        batch_first: whether x and the output are (B, T, ·) instead of (T, B, ·).
        dropout: the share of h that is dropped between layers during training.
        device: where the parameters are.
        dtype: the dtype of the parameters.
        sizes: sizes that only this cell has, by name, such as the heads of an sLSTM.

    Parameters have PyTorch's names and shapes (`weight_ih_l0`, `weight_hh_l0_reverse` …), so that the
    `state_dict` of a stock module of the same sizes can be loaded; peepholes are `weight_ci_l0`,
    `weight_cf_l0` and `weight_co_l0`.

    Raises:
        ValueError: there is no such cell, or the sizes do not fit together.
        UserError: your own cell cannot be run.
    """

    def __init__(
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        proj_size: int = 0,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **sizes: int,
    ) -> None:
        super().__init__()
        if isinstance(cell, Cell):
            check(cell)
        elif cell not in CELLS:
            raise ValueError(f"cell {cell!r}: must be one of {', '.join(CELLS)}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must lie between 0 and 1, is {dropout}")
        own = tuple(sizes.items())
        self.layout = Layout(
            cell if isinstance(cell, Cell) else CELLS[cell],
            input_size,
            hidden_size,
            num_layers,
            bidirectional,
            proj_size,
            bias,
            own,
        )
        problems = self.layout.problems()
        if problems:
            raise ValueError("; ".join(f"{field} {wrong}" for field, wrong in problems))
        if self.layout.cell not in BUILT_IN.values():
            check_fit(self.layout)
        self.batch_first = batch_first
        self.dropout = dropout
        for name, shape in self.layout.shapes().items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def cell(self) -> str:
        """The cell's name."""
        return self.layout.cell.name

    def reset_parameters(self) -> None:
        """Draw every parameter from U(−1/√hidden, 1/√hidden), as PyTorch does, or as its cell says."""
        bound = 1 / math.sqrt(self.layout.hidden_size)
        intervals = {p.name: p.drawn_from for p in self.layout.cell.parameters}
        with torch.no_grad():
            for place in self.layout.places:
                for base, name in self.layout.names(*place).items():
                    low, high = intervals[base] or (-bound, bound)
                    self.get_parameter(name).uniform_(low, high)

    def forward(
        self,
        x: Tensor | PackedSequence,
        hx: Tensor | tuple[Tensor, Tensor] | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, ...]]:
        """Run the sequence.

        Args:
            x: (T, B, input), (B, T, input) if batch_first, (T, input) unbatched, or packed.
            hx: the initial h (layers·directions, B, P), or (h, c); zeros where left out.
            lengths: int (B,), the number of timesteps of each sequence; the output past them is 0.

        Returns:
            The output (T, B, directions·P) and the last state, exactly as the stock modules do.
        """
        if isinstance(x, PackedSequence):
            padded, counts = pad_packed_sequence(x, batch_first=self.batch_first)
            output, state = self.forward(padded, hx, counts)
            assert isinstance(output, Tensor)
            return packed_like(x, output, counts, self.batch_first), state
        call = Call(self.layout, x, hx, lengths, self.batch_first)
        output, states = run_stack(
            self.layout,
            dict(self.named_parameters()),
            call.x,
            call.states,
            scan_with(self.layout),
            call.valid,
            partial(functional.dropout, p=self.dropout) if self.dropout and self.training else None,
        )
        return call.result(output, states)

    def extra_repr(self) -> str:
        """The constructor's arguments, as `repr` shows them."""
        sizes = self.layout
        text = f"{self.cell!r}, {sizes.input_size}, {sizes.hidden_size}"
        options = {
            "num_layers": sizes.num_layers,
            "bidirectional": sizes.bidirectional,
            "proj_size": sizes.proj_size,
            "bias": sizes.bias,
            "batch_first": self.batch_first,
            "dropout": self.dropout,
        }
        options |= sizes.own_sizes
        defaults = {"num_layers": 1, "bias": True} | replace(sizes, sizes=()).own_sizes
        changed = [f"{k}={v}" for k, v in options.items() if v != defaults.get(k, 0)]
        return ", ".join([text, *changed])
