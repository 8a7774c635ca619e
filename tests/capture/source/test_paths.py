"""Lines whose names are looked at together: each tensor is kept as it was when its name was bound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from code_traced import named, traced
from torch import Tensor, nn

from lstmtui.capture.source.tracing.tracer import SourceTracer

X = torch.tensor([-1.0, 2.0])


def twice(tensor: Tensor) -> None:
    tensor.mul_(2)


def in_a_function_by_position(x: Tensor) -> Tensor:
    a = x + 0
    b = F.relu(a, True)
    return b + 0


def in_a_module(x: Tensor) -> Tensor:
    relu = nn.ReLU(inplace=True)
    a = x + 0
    b = relu(a)
    return b + 0


def in_a_function_of_the_users(x: Tensor) -> Tensor:
    write = twice
    a = x + 0
    write(a)
    b = a + 0
    return b + 0


def in_an_operator_of_the_users(x: Tensor) -> Tensor:
    class Writes:
        def __matmul__(self, other: Tensor) -> Tensor:
            twice(other)
            return other

    w = Writes()
    a = x + 0
    b = w @ a
    return b + 0


def in_an_array(x: Tensor) -> Tensor:
    array = x.clone().numpy()
    a = torch.from_numpy(array)
    array.fill(5)
    b = a + 0
    return b + 0


def in_its_data(x: Tensor) -> Tensor:
    a = x + 0
    a.data.zero_()
    b = a + 0
    return b + 0


def by_an_out_argument(x: Tensor) -> Tensor:
    a = x + 0
    b = torch.neg(x, out=a)
    return b + 0


@pytest.mark.parametrize(
    "work",
    [
        in_a_function_by_position,
        in_a_module,
        in_a_function_of_the_users,
        in_an_operator_of_the_users,
        in_an_array,
        in_its_data,
        by_an_out_argument,
    ],
)
def test_a_name_has_the_numbers_that_it_had_before_a_later_line_wrote_into_them(
    work: Callable[[Tensor], Tensor],
) -> None:
    tracer = traced(work, X)
    assert torch.equal(named(tracer, "a")[0].value, X)
    assert torch.equal(named(tracer, "b")[-1].value, work(X))


def test_names_are_bound_in_the_order_of_the_lines_each_time_that_they_are() -> None:
    def work(x: Tensor) -> Tensor:
        a = x + 1
        b = a * 2
        a = b - 1
        c = a.tanh()
        del b
        b = c * 2
        return b + 0

    bound = [(binding.name, float(binding.value[0])) for binding in traced(work, torch.zeros(1)).bindings]
    c = float(torch.tanh(torch.ones(1)))
    assert bound == [("x", 0), ("a", 1), ("b", 2), ("a", 1), ("c", c), ("b", 2 * c), ("return", 2 * c)]


def test_what_was_bound_before_a_line_raised_is_there_and_what_that_line_would_have_bound_is_not() -> None:
    def work(x: Tensor) -> Tensor:
        h = x + 1
        for _ in range(2):
            a = h * 2
            b = a + 1
            h = b @ torch.ones(7)
        return h

    with pytest.raises(RuntimeError, match="size"), SourceTracer() as tracer:
        work(torch.ones(2))
    assert [binding.name for binding in tracer.bindings] == ["x", "h", "a", "b"]


def test_why_there_is_no_derivative_is_that_of_the_line_and_not_of_where_it_is_looked_at() -> None:
    def work(x: Tensor) -> Tensor:
        a = x * 1
        with torch.no_grad():
            b = x * 2
            c = b * 2
        d = torch.ones(1)
        e = d * 2
        return a + c + e

    tracer = traced(work, torch.ones(1, requires_grad=True))
    why = {binding.name: binding.absent for binding in tracer.bindings}
    assert why == {
        "x": "",
        "a": "",
        "b": "detached",
        "c": "detached",
        "d": "requires none",
        "e": "requires none",
        "return": "",
    }


def test_what_only_some_of_the_code_is_recorded_of_may_write_too() -> None:
    def pass_on(tensor: Tensor) -> Tensor:
        twice(tensor)
        return tensor + 0

    class Adds:
        add = staticmethod(pass_on)

    def work(x: Tensor, adds: Adds) -> Tensor:
        a = x + 0
        b = adds.add(a)
        return b + 0

    tracer = traced(work, X, Adds(), source=work)
    assert torch.equal(named(tracer, "a")[0].value, X)
    assert torch.equal(named(tracer, "b")[0].value, 2 * X)


def test_the_lines_that_ran_are_known_from_the_first_of_a_function_on() -> None:
    def work(x: Tensor, is_read: bool) -> Tensor:
        y = 2 * x
        if is_read:
            y = y + x
        return y

    first = work.__code__.co_firstlineno
    for is_read, lines in ((True, {1, 2, 3, 4}), (False, {1, 2, 4})):
        tracer = traced(work, torch.ones(2), is_read)
        assert lines == {line - first for line in tracer.lines_that_ran[id(work.__code__), id(None)]} - {
            -first
        }
