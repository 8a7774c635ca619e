"""What-ifs of models that draw random numbers, from whatever generator: the rerun draws the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.trace.edits import Edit

T, B, H = 4, 3, 2
GENERATOR, RNG = torch.Generator(), np.random.default_rng(1)
COUNT = itertools.count()


def drawn_by_a_function() -> Tensor:
    return torch.tensor(RNG.random(), dtype=torch.float32)


class Noisy(nn.Module):
    def __init__(self, draw: Callable[[Noisy], Tensor]) -> None:
        super().__init__()
        self.draw, self.scale = draw, nn.Parameter(torch.full((H,), 0.5))
        self.own = torch.Generator().manual_seed(1)
        self.others: dict[str, list[Any]] = {
            "numpy": [np.random.RandomState(2)],
            "python": [random.Random(5)],
        }

    def step(self, h: Tensor, v: Tensor) -> Tensor:
        noise = self.draw(self)
        return torch.tanh(self.scale * h + v + noise)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(B, H)
        for v in x:
            h = self.step(h, v)
        return h

    def of_a_global_one(self) -> Tensor:
        return (lambda: torch.rand((), generator=GENERATOR))()

    def of_a_function(self) -> Tensor:
        return drawn_by_a_function()


DRAWS: dict[str, Callable[[Noisy], Tensor]] = {
    "torch": lambda _: torch.rand(()),
    "numpy": lambda _: torch.tensor(np.random.rand(), dtype=torch.float32),
    "Python": lambda _: torch.tensor(random.random()),
    "its own": lambda own: torch.rand((), generator=own.own),
    "its own of numpy": lambda own: torch.tensor(own.others["numpy"][0].rand(), dtype=torch.float32),
    "its own of Python": lambda own: torch.tensor(own.others["python"][0].random()),
    "a global one": Noisy.of_a_global_one,
    "a global one of numpy": Noisy.of_a_function,
}


@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_numbers_are_drawn_again_and_the_generators_are_left_as_they_were(draw: str) -> None:
    model, x = Noisy(DRAWS[draw]), torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    torch.rand(1), np.random.rand(), random.random()
    before = states()
    changed = rerun(trace, [Edit(0, "", 0, "forward", 1, "h", 0, 0.3, 1, 1)])
    assert changed.values("h")[1, 1, 0] == np.float32(0.3)
    assert np.array_equal(changed.values("noise"), trace.values("noise"))
    assert np.array_equal(changed.values("h")[:, 0], trace.values("h")[:, 0])
    assert not np.array_equal(changed.values("h")[2, 1], trace.values("h")[2, 1])
    assert states() == before


def states() -> list[str]:
    return [
        str(torch.get_rng_state().tolist()),
        str(np.random.get_state()),
        str(random.getstate()),
        str(GENERATOR.get_state().tolist()),
        str(RNG.bit_generator.state),
    ]


def test_what_is_not_the_same_again_is_refused_by_name() -> None:
    model, x = Noisy(lambda _: torch.tensor(float(next(COUNT)))), torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    line = Noisy.step.__code__.co_firstlineno + 1
    said = (
        rf"does not run as it did when it was recorded: noise of line {line} is another at t=0, with the same"
    )
    with pytest.raises(lstmtui.UserError, match=said):
        rerun(trace, [Edit(0, "", 0, "forward", 1, "h", 0, 0.3, 1, 1)])
    model = Noisy(DRAWS["torch"])
    trace = lstmtui.record(model, x)
    with torch.no_grad():
        model.scale.add_(1)
    with pytest.raises(lstmtui.UserError, match="its parameter scale has other values by now"):
        rerun(trace, [Edit(0, "", 0, "forward", 1, "h", 0, 0.3, 1, 1)])
