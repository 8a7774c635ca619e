"""`loss at` of recorded code: the gradients of what it returned, or of a variable, at one timestep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.session import Session, WhatIfs
from lstmtui.session.execute import Outcome, execute
from lstmtui.session.parse import parse_line

T, B, H = 5, 2, 3


class Own(nn.Module):
    def __init__(self, *, returns_all: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.head = nn.Linear(2 * H, 2 * H).double(), nn.Linear(H, 4).double()
        self.returns_all = returns_all

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(x.shape[1:]), []
        for v in x:
            f, g = self.linear(torch.cat([v, h], -1)).chunk(2, -1)
            with torch.no_grad():
                seen = f * 2
            h = torch.sigmoid(f) * h + torch.tanh(g)
            out.append(self.head(h))
        return torch.stack(out) if self.returns_all else h + 0 * seen


def inputs() -> Tensor:
    return torch.randn(T, B, H, generator=torch.Generator().manual_seed(1)).double()


def by_hand(model: Own, t: int, replaced: int = -1) -> tuple[list[Tensor], list[Tensor]]:
    h, states, outputs = torch.zeros(B, H).double(), [], []
    for at, v in enumerate(inputs()):
        f, g = model.linear(torch.cat([v, h], -1)).chunk(2, -1)
        h = torch.sigmoid(f) * h + torch.tanh(g)
        if at == replaced:
            mask = torch.zeros(B, H, dtype=torch.bool)
            mask[1, 2] = True
            h = torch.where(mask, torch.tensor(0.25).double(), h)
        h.retain_grad()
        states.append(h)
        outputs.append(model.head(h))
    return states, outputs


def session_of(model: Own) -> Session:
    return Session({"own": lstmtui.record(model, inputs())}, RerunEngine())


def done(session: Session, line: str) -> Outcome:
    command = parse_line(line)
    assert command is not None
    return execute(session, command)


def said(session: Session, *lines: str) -> str:
    outcomes = [done(session, line) for line in lines]
    assert all(outcome.ok for outcome in outcomes), outcomes[-1].text
    return outcomes[-1].text


def variants(session: Session) -> WhatIfs:
    assert session.what_ifs is not None
    return session.what_ifs


def gradients_of(states: list[Tensor], loss: Tensor) -> np.ndarray:
    loss.backward()
    return np.stack([np.zeros((B, H)) if h.grad is None else h.grad.numpy() for h in states])


@pytest.mark.parametrize("unit", [None, 1])
def test_it_is_of_what_the_code_returns_for_each_timestep(unit: int | None) -> None:
    model = Own(returns_all=True)
    session = session_of(model)
    text = said(session, "batch 1", "loss at 3" + ("" if unit is None else f" unit {unit}"))
    states, outputs = by_hand(model, 3)
    loss = outputs[3][1].sum() if unit is None else outputs[3][1, unit]
    assert ("sum of y" if unit is None else "y[1]") + " at t=3, sequence 1" in text
    run = variants(session).runs["own"]
    assert run.loss == pytest.approx(float(loss.detach()), rel=1e-12)
    assert np.allclose(run.values("dh"), gradients_of(states, loss), rtol=1e-12, atol=1e-15)


def test_it_is_of_the_state_where_the_code_returns_none_over_time_and_of_any_variable() -> None:
    model = Own(returns_all=False)
    session = session_of(model)
    assert "sum of h at t=2, sequence 0" in said(session, "loss at 2")
    states, _ = by_hand(model, 2)
    run = variants(session).runs["own"]
    assert np.allclose(run.values("dh"), gradients_of(states, states[2][0].sum()), rtol=1e-12, atol=1e-15)
    assert "f[1] at t=4, sequence 0" in said(session, "loss at 4 of f unit 1")
    run = variants(session).runs["own"]
    assert run.values("df")[4].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert run.loss == variants(session).recorded["own"].values("f")[4, 0, 1]


def test_it_goes_with_a_change_of_values() -> None:
    model = Own(returns_all=False)
    session = session_of(model)
    said(session, "batch 1", "set h[2] = 0.25 from 1 to 1", "loss at 3 of h unit 0")
    states, _ = by_hand(model, 3, replaced=1)
    run = variants(session).runs["own"]
    assert np.array_equal(run.values("h"), np.stack([h.detach() for h in states]))
    assert np.allclose(run.values("dh"), gradients_of(states, states[3][1, 0]), rtol=1e-12, atol=1e-15)
    said(session, "undo")
    assert "h[2] = 0.25" in variants(session).runs["own"].header.what_ifs[0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("loss at 2 of hh", "hh: gradients can be taken of f, g, h; did you mean h"),
        ("loss at 2 of seen", "seen: gradients can be taken of f, g, h"),
        ("loss at 9", "t=9: this sequence has t=0 to t=4"),
        ("loss at 2 of h unit 3", "h has units 0"),
        ("loss at 2 of", "a quantity is missing"),
    ],
)
def test_what_cannot_be_had_is_said(line: str, sentence: str) -> None:
    session = session_of(Own(returns_all=False))
    try:
        said = done(session, line).text
    except lstmtui.UserError as error:
        said = str(error)
    assert sentence in said
