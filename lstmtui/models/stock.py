"""PyTorch's own recurrent modules, seen as a layout and parameters; and the stock twin of a layout."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.layout import Layout
from lstmtui.models.recurrent import Recurrent


class _Uninitialized:
    """A module with uninitialised parameters: no random numbers are drawn for them.

    `torch.nn.utils.skip_init` does the same, and imports all of sympy for it.
    """

    def reset_parameters(self) -> None:
        """Do nothing: whoever makes the module fills the parameters."""


class _RNN(_Uninitialized, nn.RNN): ...


class _GRU(_Uninitialized, nn.GRU): ...


class _LSTM(_Uninitialized, nn.LSTM): ...


def layout_of(module: nn.Module) -> Layout:
    """The sizes of a recurrent module.

    Raises:
        TypeError: the module is neither one of PyTorch's recurrent modules nor a `Recurrent`.
    """
    if isinstance(module, Recurrent):
        return module.layout
    if isinstance(module, nn.RNNCellBase):
        return Layout(_cell_of(module), module.input_size, module.hidden_size, bias=module.bias)
    if isinstance(module, nn.RNNBase):
        return Layout(
            _cell_of(module),
            module.input_size,
            module.hidden_size,
            module.num_layers,
            module.bidirectional,
            module.proj_size,
            module.bias,
        )
    raise TypeError(f"{type(module).__name__} is not a recurrent module")


def stock_twin(layout: Layout, parameters: Mapping[str, Tensor]) -> nn.RNNBase | None:
    """The stock fused module with these parameters, or None where PyTorch has no such cell.

    The coupled LSTM is a stock LSTM whose forget gate has the input gate's parameters negated, since
    1 − σ(a) = σ(−a).
    """
    kinds = {"rnn_tanh": _RNN, "rnn_relu": _RNN, "gru": _GRU, "lstm": _LSTM, "lstm_coupled": _LSTM}
    name = layout.cell.name
    if name not in kinds:
        return None
    first = next(iter(parameters.values()))
    options = {"nonlinearity": name.removeprefix("rnn_")} if name.startswith("rnn_") else {}
    if layout.proj_size:
        options["proj_size"] = layout.proj_size  # type: ignore[assignment]
    twin: nn.RNNBase = kinds[name](
        layout.input_size,
        layout.hidden_size,
        layout.num_layers,
        bidirectional=layout.bidirectional,
        bias=layout.bias,
        device=first.device,
        dtype=first.dtype,
        **options,
    )
    values = (
        {key: uncoupled(key, value) for key, value in parameters.items()}
        if name == "lstm_coupled"
        else parameters
    )
    with torch.no_grad():
        for key, parameter in twin.named_parameters():
            parameter.copy_(values[key])
    return twin.eval()


def uncoupled(name: str, parameter: Tensor) -> Tensor:
    """A coupled LSTM's parameter for a stock one: rows i, g, o with the missing f put in as −i.

    Args:
        name: the parameter's, with or without the number of its layer; the projection has no rows of gates.
        parameter: (3·hidden, …).
    """
    if name.startswith("weight_hr"):
        return parameter
    i, g, o = parameter.chunk(3)
    return torch.cat([i, -i, g, o])


def _cell_of(module: nn.RNNBase | nn.RNNCellBase) -> Cell:
    if isinstance(module, (nn.LSTM, nn.LSTMCell)):
        return CELLS["lstm"]
    if isinstance(module, (nn.GRU, nn.GRUCell)):
        return CELLS["gru"]
    if isinstance(module, (nn.RNN, nn.RNNCell)):
        return CELLS[f"rnn_{module.nonlinearity}"]
    raise TypeError(f"{type(module).__name__} is not a recurrent module lstmtui knows")
