"""The verbs of what-ifs in a session on recorded code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
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
