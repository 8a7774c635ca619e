"""The models of a scenario: an embedding where asked for, a stack of cells, and a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lstmtui.cells.layout import Layout
from lstmtui.models.recurrent import Recurrent

PREFIX = "recurrent."
"""What stands before PyTorch's names of the recurrent parameters in this module's own `state_dict`."""


class ScenarioModel(nn.Module):
    """A model of a scenario: tokens or numbers in, y out.

    Args:
        layout: the sizes of the recurrent stack.
        vocabulary: the number of different tokens; 0 where the input is numbers.
        embedding: the size of an embedding before the cells; None: tokens are one-hot.
        head: the size of y, a linear layer on h; None: y is h.
    """

    def __init__(
        self, layout: Layout, vocabulary: int = 0, embedding: int | None = None, head: int | None = None
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary, embedding) if embedding else None
        own: dict[str, Any] = dict(layout.sizes)
        self.recurrent: nn.Module = Recurrent(
            layout.cell,
            layout.input_size,
            layout.hidden_size,
            layout.num_layers,
            layout.bidirectional,
            layout.proj_size,
            layout.bias,
            **own,
        )
        self.head = nn.Linear(layout.output_size * len(layout.directions), head) if head else None

    def forward(
        self, x: Tensor, hx: Any = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """y (T, B, head or directions·P) and the last states, for x (T, B, input) or token ids (T, B)."""
        if self.embedding is not None:
            x = self.embedding(x)
        elif not x.is_floating_point():
            dtype = next(self.recurrent.parameters()).dtype
            x = functional.one_hot(x, self.vocabulary).to(dtype)
        output, state = self.recurrent(x, hx, lengths)
        return (output if self.head is None else self.head(output)), state

    def load(self, parameters: Mapping[str, Any]) -> None:
        """Take parameters by the names of scenario files: weight_ih_l0 …, embedding.weight, head.weight."""
        own = {own_name(name): torch.as_tensor(value, device="cpu") for name, value in parameters.items()}
        self.load_state_dict(own)


def scenario_name(name: str) -> str:
    """The name a parameter of :class:`ScenarioModel` bears in scenario files and traces."""
    return name.removeprefix(PREFIX)


def own_name(name: str) -> str:
    """The name a scenario's parameter bears in :class:`ScenarioModel`."""
    return name if name.startswith(("embedding.", "head.")) else PREFIX + name
