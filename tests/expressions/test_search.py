"""Searching a long trace finds what asking at every timestep finds, NaN and infinities included."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import synthetic

from lstmtui.expressions import Expression, Scope, evaluation, scope_of, search
from lstmtui.expressions.parsing import parse
from lstmtui.expressions.vocabulary import cell_vocabulary
from lstmtui.view import View

Make = Callable[..., Any]

_SCALARS = st.sampled_from(
    ["0", "1", "0.5", "-2", "t", "loss", "1e300", "9**9**9", "0/0", "c[0]", "c[-1]", "h[1]"]
)
_VECTORS = st.sampled_from(["c", "h", "f", "dc", "o_pre"])
_ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "//", "%", "**"])
_COMPARING = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_REDUCING = st.sampled_from(["norm", "mean", "min", "max", "sum", "any", "all", "argmax", "argmin", "len"])
_MAPPING = st.sampled_from(["abs", "isnan", "isfinite", "sqrt", "log", "exp", "-", "not ", "prev", "base"])


def _grown(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, smaller, _ARITHMETIC | _COMPARING, smaller),
        st.builds("({} {} {} {} {})".format, smaller, _COMPARING, smaller, _COMPARING, smaller),
        st.builds("({} {} {})".format, smaller, st.sampled_from(["and", "or"]), smaller),
        st.builds("({}({}))".format, _MAPPING, smaller),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), smaller, smaller),
        st.builds("{}({})".format, _REDUCING, smaller),
    )


VALUES = st.recursive(_SCALARS | _VECTORS, _grown, max_leaves=6)
CONDITIONS = st.builds("{}({})".format, st.sampled_from(["any", "all", "max", "argmin"]), VALUES) | st.builds(
    "{}({}) {} {}({})".format, _REDUCING, VALUES, _COMPARING, _REDUCING, VALUES
)
_MARKED = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0, -2.0])


def wild(make: Make, seed: int, steps: int, units: int, **options: Any) -> Any:
    """A scope whose quantities are full of NaN, infinities, zeros and small integers."""
    random = np.random.default_rng(seed)

    def array(*shape: int) -> Any:
        plain = random.normal(size=shape).astype(np.float32 if seed % 2 else np.float64)
        return np.where(random.random(shape) < 0.3, random.choice(_MARKED, shape), plain).astype(plain.dtype)

    quantities = {name: array(steps, units) for name in ("c", "h", "f", "dc", "o_pre")}
    return make(quantities, initial={"c": array(units), "h": array(units)}, **options)


@settings(max_examples=150, deadline=None)
@given(
    text=CONDITIONS,
    seed=st.integers(0, 50),
    units=st.sampled_from([2, 3, 8, 17]),
    backward=st.booleans(),
    data=st.data(),
)
def test_searching_finds_the_first_timestep_where_the_condition_holds(
    scope_with: Make, text: str, seed: int, units: int, backward: bool, data: st.DataObject
) -> None:
    base = wild(scope_with, seed + 1, 30, units, backward=backward)
    scope = wild(scope_with, seed, 30, units, backward=backward, base=base)
    expression = Expression(text)
    conditions = [expression.condition(scope, t) for t in range(30)]
    start, stop = data.draw(st.integers(0, 29)), data.draw(st.integers(-1, 30))
    step = data.draw(st.sampled_from([1, 1, 2, 3])) * (1 if stop > start else -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SMALLEST_BLOCK", 2)
        patch.setattr(search, "LARGEST_BLOCK", data.draw(st.sampled_from([3, 7, 100])))
        for ts in (range(30), range(29, -1, -1), range(start, stop, step)):
            assert expression.search(scope, ts) == next((t for t in ts if conditions[t]), None)
            assert expression.holds(scope, ts).tolist() == [conditions[t] for t in ts]


@pytest.mark.parametrize("units", [1, 2, 7, 8, 64, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_value_is_the_same_bit_for_bit_alone_and_in_a_block(
    scope_with: Make, units: int, dtype: type
) -> None:
    random = np.random.default_rng(units)
    scope = scope_with({name: random.normal(size=(35, units)).astype(dtype) for name in ("c", "f")})
    for text in (
        "exp(c)",
        "exp(c[0])",
        "log(abs(c))",
        "log(norm(c))",
        "abs(c) ** f",
        "abs(c) ** t",
        "abs(c[0]) ** t",
        "c ** 2",
        "norm(c) ** 2",
        "t ** t",
        "mean(c)",
        "sum(c * f)",
        "norm(prev(c) / f)",
        "c % f",
        "c[0] // f[-1]",
        "sqrt(abs(c))",
    ):
        block = evaluation.evaluate(parse(text, cell_vocabulary()), scope, range(35))
        for t in range(35):
            alone = evaluation.evaluate(parse(text, cell_vocabulary()), scope, range(t, t + 1))
            assert np.asarray(block[t], np.float64).tobytes() == np.asarray(alone[0], np.float64).tobytes()


@pytest.fixture(scope="module")
def long_scope() -> Scope:
    """A run much longer than a block, with one spike of c."""
    trace = synthetic("lstm", 40_000, 8)
    trace.arrays["0/forward/c"][31_234, 0, 3] = 11
    trace.arrays["0/forward/f"][39_999, 0, 0] = math.nan
    return scope_of(View.of(trace))


def test_a_hit_is_found_in_any_block_from_both_sides(long_scope: Scope) -> None:
    def hit(text: str, ts: range) -> int | None:
        return Expression(text).search(long_scope, ts)

    everything, back = range(40_000), range(39_999, -1, -1)
    assert hit("max(abs(c)) > 9", everything) == hit("max(abs(c)) > 9", back) == 31_234
    assert hit("max(abs(prev(c))) > 9", everything) == 31_235
    assert hit("any(isnan(f))", everything) == 39_999
    assert hit("max(abs(c)) > 9", range(31_235, 40_000)) is None
    assert hit("max(abs(c)) > 9", range(31_233, -1, -1)) is None
    for t in (0, 1, 255, 256, 257, 767, 768, 8_191, 8_192, 8_193, 39_999):
        assert hit(f"t == {t}", everything) == hit(f"t == {t}", back) == t


def test_what_is_the_same_at_every_timestep_hits_at_once_or_never(long_scope: Scope) -> None:
    assert Expression("1").search(long_scope, range(7, 40_000)) == 7
    assert Expression("0").search(long_scope, range(40_000)) is None
    assert Expression("loss > 0").search(long_scope, range(9, -1, -1)) == 9
    assert Expression("1").holds(long_scope, range(3)).tolist() == [True] * 3


def test_no_timesteps_no_hit(long_scope: Scope) -> None:
    assert Expression("1").search(long_scope, range(0)) is None
    assert Expression("1").holds(long_scope, range(0)).tolist() == []


def test_an_early_hit_reads_only_the_beginning(long_scope: Scope) -> None:
    read = []

    class Watched:
        """A scope that notes what is read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(long_scope, name)

        def window(self, quantity: str, start: int, stop: int) -> Any:
            read.append(stop - start)
            return long_scope.window(quantity, start, stop)

    assert Expression("norm(c) > 0").search(Watched(), range(40_000)) == 0
    assert sum(read) <= 256


@pytest.mark.clock
def test_searching_is_at_least_50_times_faster_than_going_step_by_step() -> None:
    scope = scope_of(View.of(synthetic("lstm", 40_000, 64)))
    expression = Expression("max(abs(c)) > 9")

    def seconds(run: Callable[[], object]) -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    one = seconds(lambda: [expression.condition(scope, t) for t in range(1_000)]) / 1_000
    searched = min(seconds(lambda: expression.search(scope, range(40_000))) for _ in range(3))
    assert expression.search(scope, range(40_000)) is None
    assert searched * 50 < one * 40_000
