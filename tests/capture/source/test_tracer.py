"""What the tracer records of code that we did not write, against the same code with `retain_grad`."""

from __future__ import annotations

import pytest
import torch
from code_traced import named, traced
from torch import Tensor, nn


class Loop(nn.Module):
    """An LSTM written out by hand."""

    def __init__(self, inputs: int = 3, hidden: int = 5) -> None:
        super().__init__()
        self.hidden = hidden
        self.pre = nn.Linear(inputs + hidden, 4 * hidden)

    def forward(self, x: Tensor, kept: list[Tensor] | None = None) -> Tensor:
        h = c = x.new_zeros(x.shape[1], self.hidden)
        for x_t in x:
            z = self.pre(torch.cat([x_t, h], 1))
            i, f, g, o = z.chunk(4, 1)
            i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
            c = f * c + i * g.tanh()
            h = o * c.tanh()
            if kept is not None:
                kept += [z, i, f, o, c, h]
        return h


def test_values_and_derivatives_are_those_of_retain_grad_to_the_bit() -> None:
    torch.manual_seed(0)
    model, x = Loop(), torch.randn(6, 2, 3)
    kept: list[Tensor] = []
    expected = model(x, kept)
    for tensor in kept:
        tensor.retain_grad()
    expected.sum().backward()
    parameters = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    results: list[Tensor] = []
    tracer = traced(lambda: results.append(model(x)) or results[-1], root=model)  # type: ignore[func-returns-value]
    assert torch.equal(results[0], expected)
    assert all(
        torch.equal(p.grad, q)
        for p, q in zip(model.parameters(), parameters, strict=True)
        if p.grad is not None
    )
    for at, name in enumerate(["z", "i", "f", "o", "c", "h"]):
        own = [
            b
            for b in named(tracer, name)
            if b.passes and not (name in "ifo" and b.line == named(tracer, name)[0].line)
        ]
        assert [b.passes[0][1] for b in own] == list(range(6))
        for binding, tensor in zip(own, kept[at::6], strict=True):
            assert torch.equal(binding.value, tensor)
            assert torch.equal(sum(binding.gradients, torch.zeros(())), tensor.grad)
    assert not any(tensor.retains_grad for tensor in results)


def test_layers_that_nobody_here_wrote_have_a_binding_of_every_name_in_every_timestep() -> None:
    torchrecurrent = pytest.importorskip("torchrecurrent")
    torch.manual_seed(0)
    layer, x = torchrecurrent.JANET(3, 5), torch.randn(4, 2, 3)
    expected = layer(x)[0]
    results: list[Tensor] = []
    tracer = traced(lambda: results.append(layer(x)[0]) or results[-1], root=layer)  # type: ignore[func-returns-value]
    assert torch.equal(results[0], expected)
    for name in ("forget_gate", "candidate_state", "update_gate", "new_c"):
        assert [b.call.path for b in named(tracer, name)] == ["cells.0"] * 4
        assert all(len(b.gradients) == 1 for b in named(tracer, name))
    assert [b.call.passes[0][1] for b in named(tracer, "new_c")] == [0, 1, 2, 3]
