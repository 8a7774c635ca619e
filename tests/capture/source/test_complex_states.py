"""Complex states, as linear recurrent units have them: by their real and imaginary parts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.trace.edits import Edit

T, B, H = 6, 2, 4


class Linear(nn.Module):
    """A diagonal linear recurrence (Orvieto et al. 2023), which keeps the states it has had."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.phase, self.reads = nn.Parameter(torch.rand(H)), nn.Linear(3, H)
        self.kept: list[Tensor] = []
        self.without: tuple[int, int] | None = None

    def forward(self, x: Tensor) -> Tensor:
        factor = torch.polar(0.9 * torch.ones(H), self.phase)
        h, out = torch.zeros(x.shape[1], H, dtype=torch.complex64), []
        for t, v in enumerate(x):
            h = factor * h + self.reads(v)
            if self.without is not None and t == self.without[0]:
                parts = torch.view_as_real(h).clone()
                parts[0, self.without[1], 1] = 0.0
                h = torch.view_as_complex(parts)
            self.kept.append(h)
            out.append(h.real + h.imag)
        return torch.stack(out)


def test_values_and_derivatives_of_a_complex_state_are_those_of_its_parts() -> None:
    model, x = Linear(), torch.randn(T, B, 3)
    trace = lstmtui.record(model, x, loss=lambda y: (y * y).sum())
    source = trace.layers[0].source
    assert source is not None
    assert source.states == ("h",)
    assert [v.shape for v in source.variables if v.name == "h"] == [(H, 2)]
    model.kept.clear()
    y = model(x)
    for h in model.kept:
        h.retain_grad()
    (y * y).sum().backward()
    for name, tensors in (("h", model.kept), ("dh", [h.grad for h in model.kept])):
        parts = torch.stack([torch.view_as_real(part.detach()) for part in tensors if part is not None])
        assert np.allclose(trace.values(name), parts.reshape(T, B, 2 * H).numpy(), rtol=1e-5, atol=1e-6)


def test_a_part_of_a_complex_state_can_be_set() -> None:
    model, x = Linear(), torch.randn(T, B, 3)
    trace = lstmtui.record(model, x, loss=lambda y: (y * y).sum())
    edit = Edit(1, "m", 0, "forward", batch=0, quantity="h", unit=5, value=0.0, start=3, stop=3)
    variant = RerunEngine().rerun(trace, [edit])
    model.without = 3, 2
    edited = lstmtui.record(model, x, loss=lambda y: (y * y).sum())
    assert variant.values("h")[3, 0, 5] == 0
    for name in ("h", "dh"):
        assert np.allclose(variant.values(name), edited.values(name), rtol=1e-6)
    assert variant.loss == edited.loss != trace.loss
