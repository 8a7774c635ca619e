"""The first bad value of a model of a user's own is found at the line that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.cells.notation import UNICODE


class Growing(nn.Module):
    """A cell whose state overflows and whose output then is NaN."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2 * units)

    def forward(self, x: Tensor, c_prev: Tensor) -> tuple[Tensor, Tensor]:
        f, g = self.linear(x).chunk(2, -1)
        f = 40 * torch.sigmoid(f + 6)
        c = f * c_prev + g
        h = c - c
        return h, c


class Caller(nn.Module):
    """A loop around the cell, and code that reads what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Growing(4)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.ones(x.shape[1], 4)
        outputs = []
        for x_t in x:
            h, state = self.cell(x_t, state)
            y_t = torch.tanh(h)
            outputs.append(y_t)
        return torch.stack(outputs)


class Dividing(nn.Module):
    """A loop whose derivative is NaN where its value is not: √0 on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.shape[1], 4)
        for x_t in x:
            a = torch.tanh(self.linear(x_t))
            size = (a * (a > 2)).square()
            root = torch.sqrt(size)
            h = 0.5 * h + a + root
        return h


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_line_that_is_called_comes_before_the_line_that_calls_it() -> None:
    trace = lstmtui.record(Caller(), torch.randn(40, 2, 3), loss=lambda y: (y**2).sum())
    bad = first_bad_of(trace)
    assert bad is not None
    layer = next(index for index, layer in enumerate(trace.layers) if layer.cell == "Growing")
    values = trace.values("c", layer)
    assert (bad.layer, bad.quantity) == (layer, "c")
    assert bad.t == min(t for t in range(40) if not torch.isfinite(torch.tensor(values[t])).all())
    line = Growing.forward.__code__.co_firstlineno + 3
    assert bad.where.startswith(f"test_bad_code.py:{line}: c = f * c_prev + g: c[")
    assert "all of these are finite, and float32 ends at 3.40e38" in bad.how
    assert f"test_bad_code.py:{line + 1}: h = c - c: h[" in bad.how
    assert "c is +inf" in bad.how


class Memory(nn.Module):
    """Its memory is NaN as soon as an input is a surprise."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        m = torch.zeros(x.shape[0], 4)
        for t in range(x.shape[1]):
            e = torch.tanh(self.encode(x[:, t]))
            keep = torch.sqrt(0.9 - (e - m).square())
            m = keep * m + (1 - keep) * e
        return m


def test_in_a_training_loop_the_line_of_the_model_comes_before_the_one_that_calls_it() -> None:
    net = Memory()
    with lstmtui.recording() as r:
        for x in 0.1 * torch.randn(3, 2, 12, 3):
            x[1, 7] = 20
            out = net(x)
            loss = out.square().mean()
            loss.backward()
    line = Memory.forward.__code__.co_firstlineno + 4
    assert str(first_bad_of(r.trace)).startswith(f"test_bad_code.py:{line}: keep = torch.sqrt(0.9 - (e")
    assert " of sequence 1 in layer 1 is NaN at t=7;" in str(first_bad_of(r.trace))


def test_lines_of_a_file_outside_of_functions_are_kept_with_their_text(tmp_path: Path) -> None:
    text = """import torch
import lstmtui

h = torch.ones(1, 3)
w = 1.0
with lstmtui.recording() as r:
    for k in range(5):
        z = h * w
        h = torch.log(z - k)
"""
    path = tmp_path / "filtering.py"
    path.write_text(text)
    space = {"__name__": "filtering"}
    exec(compile(text, str(path), "exec"), space)
    trace: Any = space["r"]
    assert (trace.trace.name, trace.trace.header.module) == ("filtering", "")
    said = str(first_bad_of(trace.trace))
    assert said.startswith("filtering.py:9: h = torch.log(z - k): h[0] of sequence 0 is NaN at t=1; z is 0")


def test_a_derivative_is_named_by_the_line_it_came_back_through() -> None:
    trace = lstmtui.record(Dividing(), torch.randn(9, 2, 3), loss=lambda y: (y**2).sum())
    assert first_bad_of(trace) is None
    bad = first_bad_of(trace, "backward")
    assert bad is not None
    assert bad.t == 8
    line = Dividing.forward.__code__.co_firstlineno + 5
    assert bad.where.startswith(f"test_bad_code.py:{line}: root = torch.sqrt(size): dsize[")
    assert "droot[" in bad.how
    assert "size is 0" in bad.how


class Ratio(nn.Module):
    """A loop that divides what a module gives by what may be 0."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[0])
        for x_t in x:
            u = self.w(x_t)
            q = u / (x_t > -9)
            f = torch.sigmoid(q)
            h = f * h + q
        return h.tanh()


def test_a_line_that_divides_by_0_is_not_called_an_overflow_and_its_gate_stays_one() -> None:
    x = torch.randn(9, 2, 3)
    x[4, 1, 2] = -9
    bad = first_bad_of(lstmtui.record(Ratio(), x, loss=lambda y: y.sum()))
    assert bad is not None
    assert "q = u / (x_t > -9): q[2] of sequence 1 is " in bad.where
    assert "all of these are finite: the line divides by 0" in bad.how
    x[4, 1, 2] = torch.nan
    trace = lstmtui.record(Ratio(), x, loss=lambda y: y.sum())
    assert trace.cell(0).in_unit_interval("f")
    backward = first_bad_of(trace, "backward")
    assert backward is not None
    assert "up to the loss, which is NaN" in backward.how


def test_a_parameter_that_is_not_finite_is_named() -> None:
    model = Ratio()
    with torch.no_grad():
        model.w.weight[1, 2] = torch.nan
    bad = first_bad_of(lstmtui.record(model, torch.randn(9, 2, 3), loss=lambda y: y.sum()))
    assert bad is not None
    assert "u = self.w(x_t): u[1] of sequence 0 is NaN at t=0" in bad.where
    assert "all of these are finite, and the parameter w.weight[1, 2] is NaN" in bad.how
    # What masks are filled with is −inf on purpose.
    model.a_mask = nn.Parameter(torch.full((2,), -torch.inf), requires_grad=False)
    masked = first_bad_of(lstmtui.record(model, torch.randn(9, 2, 3), loss=lambda y: y.sum()))
    assert masked is not None
    assert masked.where.startswith("w.weight[1, 2] is NaN before anything is computed")
    assert "and the parameter w.weight[1, 2] is NaN" in masked.how


class NormedCell(nn.Module):
    """A cell of PyTorch's whose h goes through a norm, and whose c no line reads after the last timestep."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.norm = nn.LSTMCell(3, 4), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], 4)
        for x_t in x:
            h, c = self.cell(x_t, (h, c))
            read = self.norm(h)
            c = c * (len(x) - 1)
        return read


def test_of_what_a_line_binds_at_once_a_derivative_is_named_by_what_a_later_line_reads() -> None:
    model = NormedCell()
    with torch.no_grad():
        model.norm.weight[2] = float("inf")
    bad = first_bad_of(lstmtui.record(model, torch.ones(5, 2, 3), source=True, loss=torch.mean), "backward")
    assert bad is not None
    assert "read = self.norm(h): dh[0] of sequence 0" in bad.where
    assert bad.how.endswith("all of these are finite, and the parameter norm.weight[2] is +inf")


class Exchanging(nn.Module):
    """A line that binds two names to what it makes of both."""

    def forward(self, x: Tensor) -> Tensor:
        h, c = x[0] + 2, x[0] + 3
        for x_t in x[1:]:
            h, c = c - x_t, (h + x_t).sqrt()
        return h + c


def test_a_line_that_binds_several_names_has_read_what_they_were_before() -> None:
    x = torch.zeros(8, 1, 3)
    x[5, 0, 1] = -4
    trace = lstmtui.record(Exchanging(), x.requires_grad_())
    bad = first_bad_of(trace)
    assert bad is not None
    assert (bad.quantity, bad.t, bad.unit) == ("c", 4, 1)
    c, h = (UNICODE.number(float(trace.values(name)[3, 0, 1])) for name in ("c", "h"))
    assert bad.how.startswith(f"c is {c}, x_t is −4.00, h is {h}: ")
    h = UNICODE.number(float(trace.values("h")[5, 0, 0]))
    assert str(trace.why("c", t=6, unit=0)).endswith(f" at t=5) ({h})")
