"""Subclasses, and weights that are computed from others or shared: what is recorded is what is computed."""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lstmtui.capture.record import record

EXACT = 1e-12


def squares(result: Tensor) -> Tensor:
    return (result**2).sum()


class Scaled(nn.LSTM):
    """Does something of its own round what PyTorch computes."""

    def forward(self, x: Tensor, hx: Any = None) -> Any:  # type: ignore[override]
        output, state = super().forward(2 * x, hx)
        return output + 1, state


class ScaledCell(nn.GRUCell):
    """The same of a cell."""

    def forward(self, x: Tensor, hx: Any = None) -> Tensor:  # type: ignore[override]
        return super().forward(input=2 * x, hx=hx)


class Cells(nn.Module):
    """A cell in a loop."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        h = None
        for step in x:
            h = self.cell(step, h)
        assert h is not None
        return h


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    found = torch.autograd.grad(loss, list(model.parameters()))
    return dict(zip((n for n, _ in model.named_parameters()), found, strict=True))


@pytest.mark.parametrize("model", [Scaled(3, 4, num_layers=2), Cells(ScaledCell(3, 4))])
def test_a_subclass_is_recorded_where_it_calls_the_class_it_comes_from(model: nn.Module) -> None:
    x = noise(5, 2, 3, seed=2)
    model = model.double()

    def loss(result: Any) -> Tensor:
        return squares(result[0] if isinstance(result, tuple) else result)

    trace = record(model, x, loss=loss)
    assert gap(trace.values("x"), 2 * x) == 0
    assert trace.loss == pytest.approx(loss(model(x)).item(), rel=EXACT)
    assert trace.parity is not None
    assert trace.parity <= EXACT
    for name, gradient in gradients(model, loss(model(x))).items():
        assert gap(trace.parameter_gradients[name], gradient) <= EXACT


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRUCell])
def test_weights_that_are_computed_from_others_are_those_in_use(kind: Any, norm: Any, training: bool) -> None:
    torch.manual_seed(3)
    inner = kind(3, 4).double()
    name = "weight_hh_l0" if kind is nn.LSTM else "weight_hh"
    norm(inner, name)
    with torch.no_grad():  # so that a spectral norm has some way to go in every call
        for parameter in inner.parameters():
            parameter.add_(noise(*parameter.shape, seed=30))
    model = (nn.Sequential(inner) if kind is nn.LSTM else Cells(inner)).train(training)
    x = noise(5, 2, 3, seed=3)

    def loss(result: Any) -> Tensor:
        return squares(result[0] if isinstance(result, tuple) else result)

    before = copy.deepcopy(model.state_dict())
    trace = record(model, x, loss=loss)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    expected = loss(model(x))
    assert trace.loss == pytest.approx(expected.item(), rel=EXACT)
    for full, gradient in gradients(model, expected).items():
        assert gap(trace.parameter_gradients[full], gradient) <= EXACT, full
    full = trace.layers[0].parameters["forward"]["weight_hh"]
    assert full == ("0." if kind is nn.LSTM else "cell.") + name
    assert trace.parameters[full].shape == trace.parameter_gradients[full].shape
    if not training:
        assert gap(trace.parameters[full], getattr(inner, name)) == 0
    assert trace.parity is not None
    assert trace.parity <= EXACT


def test_weights_normalised_by_a_hook_are_those_in_use() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inner = nn.utils.weight_norm(nn.LSTM(3, 4).double(), "weight_hh_l0")
    with torch.no_grad():
        inner.get_parameter("weight_hh_l0_g").mul_(3)
    model, x = nn.Sequential(inner), noise(5, 2, 3, seed=4)
    trace = record(model, x)
    found = gradients(model, model(x)[1][0].sum())
    assert trace.loss == pytest.approx(model(x)[1][0].sum().item(), rel=EXACT)
    for name, gradient in found.items():
        assert gap(trace.parameter_gradients[name], gradient) <= EXACT


def test_parameters_that_two_modules_share_have_one_name_and_one_gradient() -> None:
    class Siamese(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.RNN(3, 4), nn.RNN(3, 4)
            self.b.weight_hh_l0 = self.a.weight_hh_l0

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x)[0] * self.b(x)[0]

    model, x = Siamese().double(), noise(4, 2, 3, seed=5)
    trace = record(model, x, loss=squares)
    assert trace.layers[1].parameters["forward"]["weight_hh"] == "a.weight_hh_l0"
    found = gradients(model, squares(model(x)))
    assert set(trace.parameter_gradients) == set(found)
    for name, gradient in found.items():
        assert gap(trace.parameter_gradients[name], gradient) <= EXACT


def test_the_output_of_a_subclass_is_not_taken_for_h() -> None:
    assert record(nn.LSTM(3, 4), torch.ones(4, 1, 3)).header.output_kind == "hidden"
    trace = record(Scaled(3, 4), torch.ones(4, 1, 3))
    assert trace.header.output_kind == "custom"
    assert gap(trace.values("y"), trace.values("h") + 1) <= 1e-6


class Own(nn.GRU):
    """Computes everything itself, at once."""

    def forward(self, x: Tensor, hx: Any = None) -> Any:
        return x @ self.weight_ih_l0[:3].T, None


class Held(nn.Module):
    """A subclass that computes everything itself, with or without a plain layer before it."""

    def __init__(self, *before: nn.Module) -> None:
        super().__init__()
        self.before, self.own = nn.ModuleList(before), Own(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.before:
            x = module(x)[0]
        output: Tensor = self.own(x)[0]
        return output


NO_SUPER = "own: Own, a subclass of GRU, whose forward never calls super().forward"


@pytest.mark.parametrize("source", [None, False])
def test_a_subclass_that_computes_everything_itself_is_refused_for_that(source: bool | None) -> None:
    with pytest.raises(TypeError, match=re.escape(f"computed anything: {NO_SUPER}")):
        record(Held(), torch.randn(4, 2, 2), source=source)


def test_beside_a_layer_that_is_recorded_it_is_said_that_it_is_not() -> None:
    with pytest.warns(RuntimeWarning, match=re.escape(f"left out is {NO_SUPER}")):
        trace = record(Held(nn.LSTM(2, 2)), torch.randn(4, 2, 2), loss=lambda y: y.sum())
    assert [layer.path for layer in trace.layers] == ["before.0"]
