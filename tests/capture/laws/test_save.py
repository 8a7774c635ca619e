"""What a constructor draws and a state_dict does not hold is lost; what it computes is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.laws import BROKEN, HELD, NOT_TAKEN, LawResult

SIZE, UNITS = 4, 8
X = torch.randn(5, 3, SIZE, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A layer, and after it something that its constructor has made.

    Args:
        make: makes it.
        use: of h and of what was made.
        is_buffer: whether that is kept in a buffer that is not persistent.
    """

    def __init__(
        self, make: Callable[[], Any], use: Callable[[Tensor, Any], Tensor], is_buffer: bool = False
    ) -> None:
        super().__init__()
        self.rnn, self.use = nn.GRU(SIZE, UNITS), use
        if is_buffer:
            self.register_buffer("made", make(), persistent=False)
        else:
            self.made = make()

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self.rnn(x)[0], self.made)


def built_by(make: Callable[[], Any], use: Callable[[Tensor, Any], Tensor], **more: Any) -> type[nn.Module]:
    """A class that needs no arguments."""

    class Own(Net):
        def __init__(self) -> None:
            super().__init__(make, use, **more)

    return Own


def save(model: nn.Module, **options: Any) -> LawResult:
    (result,) = lstmtui.laws(model, X, only=("save",), **options)
    return result


DRAWN: dict[str, dict[str, Any]] = {
    "a tensor": {"make": lambda: torch.randn(UNITS), "use": lambda h, made: h + made},
    "an order": {"make": lambda: torch.randperm(UNITS), "use": lambda h, made: h[..., made]},
    "a mask": {"make": lambda: torch.rand(UNITS) < 0.5, "use": lambda h, made: h * made},
    "a number": {"make": lambda: torch.rand(()).item(), "use": lambda h, made: h * made},
    "an array": {"make": lambda: np.random.randn(UNITS), "use": lambda h, made: h + torch.as_tensor(made)},
    "a list": {"make": lambda: [torch.randn(UNITS)], "use": lambda h, made: h + made[0]},
    "a buffer": {"make": lambda: torch.randn(UNITS), "use": lambda h, made: h + made, "is_buffer": True},
}
COMPUTED: dict[str, dict[str, Any]] = {
    "a scale": {"make": lambda: 1 / math.sqrt(UNITS), "use": lambda h, made: h * made},
    "frequencies": {
        "make": lambda: 1e4 ** -(torch.arange(UNITS) / UNITS),
        "use": lambda h, made: h * made,
        "is_buffer": True,
    },
    "positions": {
        "make": lambda: torch.sin(torch.arange(9)[:, None] * torch.arange(1, UNITS + 1)),
        "use": lambda h, made: h + made[: len(h), None],
        "is_buffer": True,
    },
    "a triangle": {
        "make": lambda: torch.tril(torch.ones(UNITS, UNITS)),
        "use": lambda h, made: h @ made,
    },
    "what nobody uses": {"make": lambda: torch.randn(UNITS), "use": lambda h, made: h},
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("has_factory", [True, False])
def test_what_was_drawn_is_lost(name: str, has_factory: bool) -> None:
    kind = built_by(**DRAWN[name])
    result = save(kind(), **({"factory": kind} if has_factory else {}))
    assert (result.status, "made is not in there" in result.text) == (BROKEN, True), result


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("has_factory", [True, False])
def test_what_is_computed_is_there_again(name: str, has_factory: bool) -> None:
    kind = built_by(**COMPUTED[name])
    assert save(kind(), **({"factory": kind} if has_factory else {})).status == HELD


def test_what_a_closure_has_drawn_is_seen_by_a_factory() -> None:
    def make() -> nn.Module:
        drawn = torch.randn(UNITS)
        return Net(lambda: 0, lambda h, made: h + drawn)

    assert save(make(), factory=make).status == BROKEN


@pytest.mark.parametrize("name", ["a tensor", "positions"])
def test_where_no_new_model_can_be_made_it_is_not_taken(name: str) -> None:
    parts = {**COMPUTED, **DRAWN}[name]
    result = save(Net(**{**parts, "make": parts["make"]}))
    assert (result.status, result.text.startswith("made is not in its state_dict")) == (NOT_TAKEN, True)


def test_a_factory_that_sets_the_seed_proves_nothing() -> None:
    def make() -> nn.Module:
        torch.manual_seed(0)
        return Net(**DRAWN["a tensor"])

    result = save(make(), factory=make)
    assert (result.status, "sets the same seed" in result.text) == (NOT_TAKEN, True)


@pytest.mark.parametrize(
    ("factory", "says"),
    [(lambda: 1 / 0, "ZeroDivisionError"), (lambda: 3, "gives a int"), (lambda: nn.GRU(2, 2), "Missing key")],
)
def test_a_factory_that_fails_is_not_taken(factory: Callable[[], Any], says: str) -> None:
    result = save(Net(**COMPUTED["a scale"]), factory=factory)
    assert (result.status, says in result.text) == (NOT_TAKEN, True), result


def test_random_numbers_go_on_as_without_it() -> None:
    kind = built_by(**DRAWN["an array"])
    model = kind()
    torch.manual_seed(3), np.random.seed(3)
    expected = torch.rand(()), np.random.rand()
    torch.manual_seed(3), np.random.seed(3)
    save(model, factory=kind)
    assert (torch.rand(()), np.random.rand()) == expected


class Streaming(nn.Module):
    """Its state is kept under a private name."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self._h = nn.GRU(SIZE, UNITS), None

    def forward(self, x: Tensor) -> Tensor:
        y, h = self.rnn(x, self._h)
        self._h = h.detach()
        return y


def test_a_state_that_is_kept_is_no_constant() -> None:
    model = Streaming()
    model(X)
    result = save(model, factory=Streaming)
    assert result.status == HELD
    assert result.notes[0].startswith("_h, kept on the model, is not in its state_dict")
    assert {law.name: law.status for law in lstmtui.laws(model, X)}["chunks"] == HELD
