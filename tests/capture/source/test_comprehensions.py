"""Comprehensions, which some versions of Python give a frame and others run within the function's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import lstmtui


class Comprehended(nn.Module):
    """What comprehensions of one line are bound to, on every version of Python."""

    def forward(self, x: Tensor) -> Tensor:
        h, hs = torch.zeros_like(x[0]), []
        for v in x:
            parts = torch.cat([part * 2 for part in v.chunk(2, -1)], -1)
            state = {name: value + parts for name, value in {"a": h, "b": v}.items()}
            h = torch.tanh(state["a"] + state["b"])
            hs.append(h)
        y = torch.stack([q * 2 for q in hs])
        nested = {k: torch.stack([q + 1 for q in hs]) for k in ("low", "high")}
        return y + torch.stack([q.clone() for q in nested["low"]])


def test_what_is_bound_behind_a_comprehension_on_its_line_is_outside_of_it() -> None:
    x = torch.randn(5, 3, 4, requires_grad=True)
    trace = lstmtui.record(Comprehended(), x, loss=torch.sum)
    source = trace.layers[0].source
    assert source is not None
    assert trace.steps == 5
    names = {v.name: (v.shape, v.inner_steps, v.carried_to) for v in source.variables}
    assert names["parts"] == ((4,), 0, ())
    assert names["part"] == ((2,), 2, ())
    assert {"state_a", "state_b", "nested_low", "nested_high"} <= names.keys()
    assert names["h"] == ((4,), 0, ("value",))
    assert np.array_equal(trace.values("parts"), 2 * x.detach().numpy())
    # It is y_, as y is what the model returned.
    assert np.array_equal(trace.values("y_"), 2 * trace.values("h"))
    assert (trace.values("dy_") == 1).all()
