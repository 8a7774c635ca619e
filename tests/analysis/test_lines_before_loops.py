"""What lines have read that bind all timesteps at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of


class Decoder(nn.Module):
    """Its input has its timesteps last, as many as it has units."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(9, 6)

    def forward(self, x: Tensor) -> Tensor:
        read, h, out = turned(x), x.new_zeros(len(x), 6), []
        while len(out) < len(x[0, 0]):
            h = torch.tanh(self.linear(torch.cat([read[len(out)], h], -1)))
            out.append(h)
        return torch.stack(out)


def turned(x: Tensor) -> Tensor:
    x = x.transpose(1, 2)
    return x.transpose(0, 1)


def test_what_is_bound_for_all_timesteps_at_once_has_read_nothing_of_the_timestep_before() -> None:
    x = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))
    x[0, 1, 4] = float("nan")
    bad = first_bad_of(lstmtui.record(Decoder(), x, loss=torch.sum))
    assert bad is not None
    assert ": x = x.transpose(1, 2)" in bad.where
    assert "finite" not in bad.how
