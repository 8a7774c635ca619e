"""PyTorch's own recurrent modules in the place of `Recurrent`, wherever PyTorch has the cell."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmtui.models.model import ScenarioModel, scenario_name
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import stock_twin


class FusedLayers(nn.Module):
    """A stock module that is called as `Recurrent` is, with the lengths of padded sequences.

    Args:
        stock: the module, (T, B, ·).
    """

    def __init__(self, stock: nn.RNNBase) -> None:
        super().__init__()
        self.stock = stock

    def forward(self, x: Tensor, hx: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """The output (T, B, directions·P), 0 past the end of a sequence, and the last states."""
        if lengths is None:
            output, state = self.stock(x, hx)
            return output, state
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        output, state = self.stock(packed, hx)
        return pad_packed_sequence(output, total_length=len(x))[0], state


def fuse(model: ScenarioModel) -> ScenarioModel:
    """Replace layers by PyTorch's fused ones with the same weights, where PyTorch has exactly the cell.

    Weights that a stock module would have to hold in another form, as those of an LSTM with tied gates, stay
    with `Recurrent`.
    """
    recurrent = model.recurrent
    assert isinstance(recurrent, Recurrent)
    parameters = dict(recurrent.named_parameters())
    stock = None if recurrent.cell == "lstm_coupled" else stock_twin(recurrent.layout, parameters)
    if stock is not None:
        model.recurrent = FusedLayers(stock)
    return model


def weights_of(model: ScenarioModel) -> dict[str, Tensor]:
    """Every parameter by the name that scenario files know it by, on the CPU, apart from the model's own."""
    named = ((scenario_name(name).removeprefix("stock."), p) for name, p in model.named_parameters())
    return {name: parameter.detach().cpu().clone().contiguous() for name, parameter in named}
