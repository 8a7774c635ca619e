"""Code of a file that Python has loaded twice, as when a module is reloaded: equal functions are one."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

import lstmtui

TEXT = """
import torch

def step(v, h):
    z = torch.sigmoid(v)
    return z * h + v
"""


def loaded() -> SimpleNamespace:
    names: dict[str, object] = {}
    exec(compile(TEXT, "loaded_twice.py", "exec"), names)
    return SimpleNamespace(**names)


class Both(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        files = [loaded(), loaded()]
        h = x.new_zeros(x.shape[1], 3)
        for t, v in enumerate(x):
            h = files[t % 2].step(v, h)
        return h


def test_equal_functions_are_one() -> None:
    x = torch.randn(6, 2, 3, requires_grad=True)
    trace = lstmtui.record(Both(), x)
    source = trace.layers[0].source
    assert source is not None
    assert torch.equal(torch.from_numpy(trace.values("z")), x.detach().sigmoid())
    assert [function.name for function in source.functions] == ["Both.forward", "step"]
