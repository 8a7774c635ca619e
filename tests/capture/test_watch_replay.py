"""What a watch writes of a step is what recording that step gives, however the layer is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.pretended_mps import PretendedMps
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import lstmtui
from lstmtui.capture.reruns.replayed_modules import Replay
from lstmtui.trace import Traces


class Wrapped(nn.Module):
    """A layer called in one of many ways, with a head on everything that it returns."""

    def __init__(self, layer: nn.Module, form: str) -> None:
        super().__init__()
        self.layer, self.form = layer, form

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        if self.form == "packed":
            output, states = self.layer(pack_sequence([x[:, 0], x[:3, 1]]))
            output = output.data
        elif self.form == "loop":
            state: Tensor = h[0]
            for now in x:
                state = self.layer(now, state) * 0.9
            return state.square().sum()
        elif self.form == "loop of two states":
            first, second = h[0], h[0].tanh()
            for now in x:
                first, second = self.layer(now, (first, second * 0.9))
            return first.square().sum() + second.sum()
        elif self.form == "state":
            output, states = self.layer(x, h)
        elif self.form == "keyword":
            output, states = self.layer(input=x)
        else:
            output, states = self.layer(x)
        states = states if isinstance(states, tuple) else (states,)
        total: Tensor = (output * output.detach().flip(0)).sum()
        return total + torch.stack([state.pow(3).sum() for state in states]).sum()


CASES: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "lstm": (lambda: nn.LSTM(3, 4), "keyword"),
    "deep": (lambda: nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2), ""),
    "dropout": (lambda: nn.GRU(3, 4, 2, dropout=0.5), ""),
    "batch first": (lambda: nn.RNN(3, 4, batch_first=True, nonlinearity="relu"), ""),
    "packed": (lambda: nn.LSTM(3, 4, bidirectional=True), "packed"),
    "state": (lambda: nn.GRU(3, 4), "state"),
    "cell": (lambda: nn.GRUCell(3, 4), "loop"),
    "lstm cell": (lambda: nn.LSTMCell(3, 4), "loop of two states"),
    "peephole": (lambda: lstmtui.Recurrent("lstm_peephole", 3, 4), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_what_recording_the_step_with_its_loss_gives(tmp_path: Path, case: str) -> None:
    make, form = CASES[case]
    torch.manual_seed(0)
    model = Wrapped(make(), form).double()
    x, h = torch.randn(5, 2, 3, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)
    with lstmtui.watch(model, when="len(dh) > 0", keep=1, path=tmp_path / "w"):
        torch.manual_seed(7)
        model(x, h).backward()
        torch.manual_seed(7)
        expected = lstmtui.record(model, (x, h), loss=lambda result: result)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
    found = lstmtui.load(tmp_path / "w")
    assert isinstance(found, Traces)
    trace = found["step 0"]
    keys = {k for k in expected.arrays if not k.startswith("parameter")}
    assert keys <= set(trace.arrays)
    for key in keys:
        assert np.allclose(trace.arrays[key], expected.arrays[key], rtol=0, atol=1e-12), key
    for name, gradient in expected.parameter_gradients.items():
        assert np.allclose(trace.parameter_gradients[name], gradient, rtol=0, atol=1e-12), name
    assert np.abs(trace.values("dh")).max() > 0


def test_what_a_device_other_than_the_cpu_drew_is_said_to_be_drawn_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PretendedMps(monkeypatch):
        for dropout in (0.5, 0.0):
            layer, x = nn.GRU(3, 4, 2, dropout=dropout).to("mps"), torch.randn(5, 2, 3).to("mps")
            with lstmtui.watch(layer, when="t == 0", keep=1, path=tmp_path / f"{dropout}"):
                layer(x)
            traces = lstmtui.load(tmp_path / f"{dropout}")
            assert isinstance(traces, Traces)
            assert ("drawn on the MPS cannot be drawn again" in traces["step 0"].header.notes) == bool(
                dropout
            )


def test_a_call_without_autocast_is_run_again_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_on: list[bool] = []
    forward = Replay.forward

    def seen(self: Replay, argument: None) -> Tensor:
        is_on.append(torch.is_autocast_enabled("mps"))
        return forward(self, argument)

    monkeypatch.setattr(Replay, "forward", seen)
    with PretendedMps(monkeypatch):
        layer, x = nn.GRU(3, 4).to("mps"), torch.randn(5, 2, 3).to("mps")
        with (
            torch.autocast("mps", torch.float16),
            lstmtui.watch(layer, when="z[0] > 2", path=tmp_path / "w"),
            torch.autocast("mps", enabled=False),
        ):
            layer(x)
    assert is_on == [False]
