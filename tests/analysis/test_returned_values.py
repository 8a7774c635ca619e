"""What a function returns without a name is of the line that returns it, as in a debugger."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.session.go_to_first_bad import go_to_first_bad
from lstmtui.session.stages import stage_text

T, B, UNITS = 8, 2, 3


def update(f: Tensor, c: Tensor, i: Tensor) -> Tensor:
    return f * c + i


def outer(f: Tensor, c: Tensor, i: Tensor) -> Tensor:
    return update(f, c, i)


def both(f: Tensor, c: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
    return f * c + i, torch.tanh(c)


def scaled(z: Tensor) -> Tensor:
    return z / z.norm(dim=-1, keepdim=True)


LINE = update.__code__.co_firstlineno + 1


class Own(nn.Module):
    """A recurrence that functions compute.

    Args:
        step: gives c from f, c and i.
    """

    def __init__(self, step: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.step, self.gates = step, nn.Linear(UNITS, 2 * UNITS)

    def forward(self, x: Tensor) -> Tensor:
        c = x.new_zeros(x.shape[1], UNITS)
        for v in x:
            f, i = self.gates(v).chunk(2, -1)
            f = torch.sigmoid(f) * 1e9
            c = self.step(f, c, i)
        return c


def record(model: nn.Module, x: Tensor | None = None) -> lstmtui.Trace:
    x = torch.randn(T, B, UNITS, generator=torch.Generator().manual_seed(1)) if x is None else x
    return lstmtui.record(model, x, source=True, loss=lambda y: y.nan_to_num().sum())


@pytest.mark.parametrize("step", [update, outer])
def test_the_line_that_returned_a_bad_value_is_named_with_what_it_read(
    step: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    trace = record(Own(step))
    bad = first_bad_of(trace)
    assert bad is not None
    at = bad.t, bad.batch, bad.unit
    f, i = (UNICODE.number(float(trace.values(name)[at])) for name in "fi")
    before = UNICODE.number(float(trace.values("c")[bad.t - 1, bad.batch, bad.unit]))
    assert (bad.quantity, bad.layer) == ("c", 0)
    assert bad.where.startswith(
        f"test_returned_values.py:{LINE}: return f * c + i: c[{bad.unit}] of sequence "
    )
    assert bad.how.startswith(
        f"f is {f}, c is {before}, i is {i}: all of these are finite, and float32 ends at"
    )


def test_a_bad_derivative_came_back_through_the_line_that_returned() -> None:
    bad = first_bad_of(record(Own(update)), "backward")
    assert bad is not None
    assert bad.where.startswith(f"test_returned_values.py:{LINE}: return f * c + i: dupdate_f[")
    assert bad.how.startswith(f"dc[{bad.unit}] is ")
    assert f", line {LINE})" in bad.how


def test_into_stops_where_a_value_is_returned_and_then_where_it_gets_its_name() -> None:
    session = Session({"m": record(Own(update))})
    go_to_first_bad(session)
    texts = []
    for _ in range(2):
        assert session.cursor.stage is not None
        texts.append(stage_text(session.layer, session.cursor.stage))
        session.into()
    file = "test_returned_values.py"
    named = Own.forward.__code__.co_firstlineno + 5
    assert texts == [f"c ({file}:{LINE}, update)", f"c ({file}:{named}, Own.forward)"]
    session.back()
    go_to_first_bad(session)
    session.out()
    assert session.cursor.stage is not None
    assert stage_text(session.layer, session.cursor.stage) == texts[1]


def test_a_line_has_read_what_its_names_were_bound_to_and_not_what_it_is_given_back() -> None:
    trace = record(Own(update))
    (before,) = (part for part in trace.why("c", 2).parts if part.text.startswith("c["))
    assert before.value == trace.values("c")[1, 0, 0]


class Normed(nn.Module):
    """A recurrence with a function whose result has no name anywhere."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.reads = nn.Linear(UNITS, UNITS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], UNITS)
        for v in x:
            z = self.reads(v)
            h = 0.5 * h + scaled(z)
        return h


def test_a_bad_value_that_never_gets_a_name_is_named_by_the_line_that_returned_it() -> None:
    x = torch.randn(T, B, UNITS)
    assert "scaled_return" not in record(Normed(), x).quantities(0)
    x[4, 1] = 0
    trace = record(Normed(), x)
    bad = first_bad_of(trace)
    assert bad is not None
    assert (bad.quantity, bad.t, bad.batch) == ("scaled_return", 4, 1)
    assert f":{scaled.__code__.co_firstlineno + 1}: return z / z.norm(dim=-1, keepdim=True): " in bad.where
    assert bad.how.startswith("z is 0")


class Branches(nn.Module):
    """A name that a function gives in some rounds, and a line of its own in others."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1e9))

    def forward(self, x: Tensor) -> Tensor:
        c = torch.ones_like(x[0])
        for t, v in enumerate(x):
            c = update(c, self.scale, v) if t % 2 else c * self.scale * self.scale * self.scale
        return c


def test_a_line_of_a_function_that_did_not_run_in_a_round_is_not_blamed() -> None:
    bad = first_bad_of(record(Branches(), torch.randn(T, B, UNITS)))
    assert bad is not None
    assert f":{LINE}:" not in bad.where


def test_the_first_of_several_that_are_returned_together_is_told_from_the_others() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1e12))

        def forward(self, x: Tensor) -> Tensor:
            c = torch.ones_like(x[0])
            for v in x:
                c, h = both(c, self.scale, v)
            return c + h

    bad = first_bad_of(record(Two(), torch.ones(T, B, UNITS)))
    assert bad is not None
    assert f":{both.__code__.co_firstlineno + 1}: return f * c + i, torch.tanh(c): c[0] of" in bad.where
