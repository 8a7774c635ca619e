"""The verbs of what-ifs in a session on recorded code."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.session.what_if_checks import unit_by_axes
from lstmtui.trace import Traces


class Leaky(nn.Module):
    """A leaky unit in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 5)
        for x_t in x:
            keep = torch.sigmoid(self.into(x_t))
            h = keep * h + 1
        return h


def test_set_unset_reset_and_loss_at_on_recorded_code() -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(Leaky(), torch.randn(6, 1, 3), loss=torch.sum, name="m")
    session = Session(Traces({"m": trace}), RerunEngine())

    def said(line: str) -> str:
        command = parse_line(line, vocabulary=session.vocabulary)
        assert command is not None
        return execute(session, command).text

    text = said("set keep[2] = 0 from 3 to 4")
    assert "what-if 1: keep[2] = 0 from t=3 to t=4" in text
    assert text.endswith(f"loss {session.trace.loss:.6g}, was {trace.loss:.6g}")
    assert session.trace.values("h")[4, 0, 2] == 1
    assert session.trace.values("dkeep")[3, 0, 2] == 0
    said("unset")
    assert session.trace.loss == trace.loss
    said("set h = 0 from 5")
    assert session.trace.loss == 0
    assert "as it was recorded" in said("reset")
    assert "the gradients are of" in said("loss at 2")


class Slope(nn.Module):
    """A solver whose variables are called as derivatives are."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.new_zeros(x.shape[1], 3)
        for x_t in x:
            dh = torch.tanh(x_t - y)
            y = y + 0.1 * dh
        return y


def test_a_variable_called_as_a_derivative_of_a_cell_is_set() -> None:
    trace = lstmtui.record(Slope(), torch.randn(4, 1, 3, requires_grad=True), loss=torch.sum, name="m")
    session = Session(Traces({"m": trace}), RerunEngine())
    command = parse_line("set dh = 0", vocabulary=session.vocabulary)
    assert command is not None
    execute(session, command)
    assert session.trace.loss == 0
    with pytest.raises(lstmtui.UserError, match="dx_t is a derivative"):
        parse_line("set dx_t = 0", vocabulary=session.vocabulary)


class Beside(nn.Module):
    """A cell of PyTorch's, and what the loop makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 4)
        kept = torch.zeros_like(h)
        for v in x:
            h = self.cell(v, h)
            kept = 0.5 * kept + h
        return kept


def test_variables_beside_layers_of_pytorch_are_set_and_may_be_the_loss() -> None:
    torch.manual_seed(0)
    model, x = Beside(), torch.randn(5, 2, 3)
    trace = lstmtui.record(model, x, loss=torch.sum, source=True, name="m")
    session = Session(Traces({"m": trace}), RerunEngine())

    def said(line: str) -> str:
        command = parse_line(line, vocabulary=session.vocabulary)
        assert command is not None
        return execute(session, command).text

    said("layer 1")
    assert "kept[1] = 2 at t=3 in layer 1, batch 0" in said("set kept[1] = 2 from 3 to 3")
    assert session.trace.loss == pytest.approx(
        trace.loss + 0.5 * (2 - trace.values("kept", 1)[3, 0, 1]), rel=1e-5
    )
    said("reset")
    said("loss at 3 of kept unit 1")
    dkept = session.trace.values("dkept", 1)
    assert dkept[:, 0, 1].tolist() == [0.125, 0.25, 0.5, 1, 0]
    assert not dkept[:, 1].any()
    said("reset")
    said("layer 0")
    assert "only the variables of that code" in said("set h[1] = 2")
    assert "none of recorded code" in said("loss at 3 of h unit 1")


def test_a_number_past_an_axis_is_said_with_the_axis() -> None:
    assert unit_by_axes((-1, 2), "S", (5, 3)) == 14
    with pytest.raises(lstmtui.UserError, match="index 9: axis 0 of S has 0 to 4"):
        unit_by_axes((9, 1), "S", (5, 3))
