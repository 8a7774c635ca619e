"""Recurrent layers of a package that nobody here wrote, recorded by source as they are."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui

torchrecurrent = pytest.importorskip("torchrecurrent")

LAYERS = [
    name
    for name, kind in sorted(vars(torchrecurrent).items())
    if inspect.isclass(kind) and issubclass(kind, nn.Module) and not name.endswith(("Cell", "Base"))
]
T, B, H = 4, 2, 5


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    kind = getattr(torchrecurrent, name)
    module: nn.Module = kind(H, H)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.4, 0.4)
    return module


def states_of(module: nn.Module, x: Tensor) -> tuple[Tensor, list[list[Tensor]]]:
    """The output of the module run bare, and what its cell returned at each timestep, with its derivative."""
    states: list[list[Tensor]] = []

    def keep(_: nn.Module, inputs: Any, output: Any) -> None:
        parts = [output] if isinstance(output, Tensor) else [p for p in output if isinstance(p, Tensor)]
        states.append([part for part in parts if part.requires_grad])
        for part in states[-1]:
            part.retain_grad()

    handle = module.cells[0].register_forward_hook(keep)  # type: ignore[union-attr, index]
    torch.manual_seed(1)
    output = module(x)[0]
    output.sum().backward()
    handle.remove()
    module.zero_grad()
    return output, states


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_every_name_at_every_timestep_and_its_own_derivatives(name: str) -> None:
    module, x = made(name), torch.randn(T, B, H, generator=torch.Generator().manual_seed(2))
    output, states = states_of(module, x)
    torch.manual_seed(1)
    trace = lstmtui.record(module, x)

    assert np.array_equal(trace.arrays["y"], output.detach().numpy()), "the output, to the bit"
    assert (trace.steps, trace.batch) == (T, B)
    number = next(n for n, layer in enumerate(trace.layers) if layer.path == "cells.0")
    source = trace.layers[number].source
    assert source is not None
    assert source.functions[0].text.lstrip().startswith("def forward")
    assert not source.unrecorded
    assert source.states, "some name goes on to the next timestep"
    for part in range(len(states[0])):
        values = np.stack([step[part].detach().numpy() for step in states])
        gradients = [step[part].grad for step in states]
        named = [
            v.name
            for v in source.variables
            if np.array_equal(trace.values(v.name, number), values.reshape(T, B, -1))
        ]
        assert named, "what the cell returns is one of its names"
        for variable in named:
            derivative = trace.values("d" + variable, number)
            for t, gradient in enumerate(gradients):
                bare = np.zeros((B, H), np.float32) if gradient is None else gradient.numpy()
                assert np.array_equal(derivative[t], bare.reshape(B, -1)), f"d{variable} at t={t}"
