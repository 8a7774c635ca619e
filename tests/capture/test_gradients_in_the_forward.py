"""Models that go backward inside their own forward, and loops that watch for NaN on the way back."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

from lstmtui.capture.record import record

pytestmark = pytest.mark.usefixtures("each_method")


class Saliency(nn.Module):
    """Weighs its input by the gradient of a first layer; the layer itself is part of the loss or not."""

    def __init__(self, first: nn.Module, again: bool, penalty: bool = False) -> None:
        super().__init__()
        self.first, self.second = first, nn.GRU(3, 4)
        self.again, self.penalty = again, penalty

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        output = torch.stack([self.first(step) for step in x]) if self.in_loop else self.first(x)[0]
        (gradient,) = torch.autograd.grad(output.sum(), x, retain_graph=self.again, create_graph=self.penalty)
        total: Tensor = self.second(x * gradient)[0].sum()
        return total + output.square().sum() if self.again else total

    @property
    def in_loop(self) -> bool:
        return isinstance(self.first, nn.GRUCell)


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("first", [nn.LSTM(3, 4), nn.GRU(3, 4), nn.GRUCell(3, 4)])
def test_a_gradient_taken_on_the_way_is_not_added_to_that_of_the_loss(first: nn.Module, again: bool) -> None:
    model, x = Saliency(first, again).double(), noise(6, 2, 3, seed=70)
    trace = record(model, x, loss=lambda result: result)
    plain = copy.deepcopy(model)
    plain(x).backward()
    for name, parameter in plain.named_parameters():
        wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert gap(trace.parameter_gradients[name], wanted) <= 1e-12, name
    assert bool(trace.values("dh", 0).any()) == again


def test_a_penalty_on_a_gradient_is_refused() -> None:
    model = Saliency(nn.LSTM(3, 4), again=True, penalty=True)
    with pytest.raises(TypeError, match="gradient penalty"):
        record(model, torch.randn(5, 2, 3), loss=lambda result: result)


def test_anomaly_detection_does_not_stop_the_recording_of_a_nan() -> None:
    x = torch.randn(9, 2, 3)
    x[4, 1, 1] = torch.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That anomaly detection is on.
        with torch.autograd.set_detect_anomaly(True):
            trace = record(nn.LSTM(3, 4), x)
            assert torch.is_anomaly_enabled()
    assert torch.as_tensor(trace.values("h"))[4:, 1].isnan().all()
