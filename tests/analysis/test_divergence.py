"""The first place where two runs differ: its order, its tolerance, and how little is read to find it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Array, synthetic

from lstmtui.analysis.divergence import Divergence, first_divergence
from lstmtui.errors import UserError
from lstmtui.trace import Trace

ORDER = ("x", "f_pre", "f", "i_pre", "i", "g_pre", "g", "c", "o_pre", "o", "h")


def changed(trace: Trace, key: str, *places: tuple[Any, ...], to: float | None = None) -> Trace:
    """The trace with some numbers of one array 1 larger, or set to a value."""
    array = trace.arrays[key].copy()
    for place in places:
        array[place] = array[place] + 1 if to is None else to
    return Trace(trace.header, {**trace.arrays, key: array})


def place(found: Divergence | None) -> tuple[Any, ...]:
    assert found is not None
    return (found.t, found.layer, found.direction, found.quantity, found.unit, found.batch)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return synthetic(
        "lstm", 300, 4, layers=2, bidirectional=True, batch=3, extras={"y": np.zeros((300, 3, 2), np.float32)}
    )


def test_a_run_does_not_differ_from_itself_or_its_copy(trace: Trace) -> None:
    copy = Trace(trace.header, {key: array.copy() for key, array in trace.arrays.items()})
    assert first_divergence(trace, trace, 0) is None
    assert first_divergence(trace, copy, 0) is None


def test_the_first_difference_is_named_with_both_values(trace: Trace) -> None:
    other = changed(trace, "1/backward/g", (250, 2, 3), to=0.5)
    found = first_divergence(trace, other, 1e-6)
    assert place(found) == (250, 1, "backward", "g", 3, 2)
    assert found is not None
    assert (found.a, found.b) == (float(trace.values("g", 1, "backward")[250, 2, 3]), 0.5)
    assert str(found).startswith("they first differ at t=250, in layer 1 backward: g[3] of sequence 2 is ")
    assert str(found).endswith(" against 0.50000000")


def test_time_comes_before_everything_else(trace: Trace) -> None:
    other = changed(changed(trace, "0/forward/x", (40, 0, 0)), "y", (39, 2, 1))
    found = first_divergence(trace, other)
    assert place(found) == (39, None, "", "y", 1, 2)
    assert "at t=39, at the end: y[1] of sequence 2" in str(found)


def test_at_one_timestep_layers_then_directions_then_the_order_of_evaluation_come_first(trace: Trace) -> None:
    other = changed(trace, "y", (7, 0, 0))
    for layer in (1, 0):
        for direction in ("backward", "forward"):
            for quantity in reversed(ORDER):
                other = changed(other, f"{layer}/{direction}/{quantity}", (7, 1, 0))
                assert place(first_divergence(trace, other)) == (7, layer, direction, quantity, 0, 1)


def test_units_come_before_sequences(trace: Trace) -> None:
    other = changed(trace, "0/forward/c", (9, 0, 3), (9, 2, 1), (9, 1, 1))
    assert place(first_divergence(trace, other))[4:] == (1, 1)


def test_initial_states_come_before_the_first_timestep(trace: Trace) -> None:
    other = changed(changed(trace, "0/forward/x", (0, 0, 0)), "1/backward/initial/c", (2, 1))
    found = first_divergence(trace, other)
    assert place(found) == (-1, 1, "backward", "c", 1, 2)
    assert "before the first timestep, in layer 1 backward: c[1] of sequence 2 is 0 against 1" in str(found)


def test_derivatives_are_not_compared(trace: Trace) -> None:
    assert first_divergence(trace, changed(trace, "0/forward/dh", (0, 0, 0))) is None


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "differs"),
    [
        (0.5, 0.5009, 1e-3, False),
        (0.5, 0.5011, 1e-3, True),
        (1e6, 1e6 + 900, 1e-3, False),
        (1e6, 1e6 + 1100, 1e-3, True),
        (1e-9, 2e-9, 1e-8, False),
        (0.0, 5e-324, 0, True),
        (np.nan, np.nan, 0, False),
        (np.nan, 0.0, 1e9, True),
        (0.0, np.nan, 1e9, True),
        (np.inf, np.inf, 0, False),
        (np.inf, -np.inf, 1e9, True),
        (np.inf, 1e300, 1e9, True),
        (np.inf, np.nan, 1e9, True),
        (-1e308, 1e308, 3, False),
        (0.0, -0.0, 0, False),
    ],
)
def test_the_rule_of_the_tolerance(a: float, b: float, tolerance: float, differs: bool) -> None:
    plain = synthetic("gru", 3, 2)
    values = [np.zeros((3, 1, 2)) for _ in range(2)]
    values[0][1, 0, 1], values[1][1, 0, 1] = a, b
    one, other = (Trace(plain.header, {**plain.arrays, "0/forward/z": v}) for v in values)
    found = first_divergence(one, other, tolerance)
    assert (found is not None) == differs
    if differs:
        assert place(found) == (1, 0, "forward", "z", 1, 0)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_answer_is_that_of_a_plain_loop(data: st.DataObject) -> None:
    plain = synthetic("gru", 100, 2, batch=2)
    lengths = data.draw(st.sampled_from([(100, 100), (100, 20)]))
    keys = [f"0/forward/{q}" for q in ("r", "z_pre", "h")]
    spots = st.tuples(st.sampled_from(keys), st.integers(0, 99), st.integers(0, 1), st.integers(0, 1))
    arrays = {**plain.arrays, "lengths": np.array(lengths)}
    for key, t, batch, unit in data.draw(st.lists(spots, max_size=6)):
        arrays[key] = arrays[key].copy()
        arrays[key][t, batch, unit] = data.draw(st.sampled_from([np.nan, np.inf, 2.0, 1e-5]))
    other = Trace(plain.header, arrays)
    # NaN is not equal to itself, but is written alike.
    assert repr(first_divergence(plain, other, 1e-3)) == repr(slow(plain, other, lengths, 1e-3))


def slow(a: Trace, b: Trace, lengths: tuple[int, int], tolerance: float) -> Divergence | None:
    for t in range(a.steps):
        for quantity in ("r", "z_pre", "h"):
            for unit in range(a.values(quantity).shape[2]):
                for batch in range(a.batch):
                    p, q = (float(trace.values(quantity)[t, batch, unit]) for trace in (a, b))
                    near = abs(p - q) <= tolerance * max(1.0, abs(p), abs(q)) and np.isfinite(p - q)
                    if t < lengths[batch] and not (near or p == q or (np.isnan(p) and np.isnan(q))):
                        return Divergence(t, 0, "forward", quantity, unit, batch, p, q)
    return None


def test_only_what_both_have_is_compared() -> None:
    lstm, gru = synthetic("lstm", 20, 4, layers=2, bidirectional=True), synthetic("gru", 20, 4)
    arrays = {**gru.arrays, "0/forward/x": lstm.values("x"), "0/forward/h": lstm.values("h")}
    same = Trace(gru.header, arrays)
    assert first_divergence(lstm, same) is None
    assert place(first_divergence(lstm, changed(same, "0/forward/h", (5, 0, 2))))[:4] == (
        5,
        0,
        "forward",
        "h",
    )
    wider = synthetic("gru", 20, 4, input_size=3)
    h_only = Trace(wider.header, {**wider.arrays, "0/forward/h": lstm.values("h")})
    assert first_divergence(lstm, h_only) is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 21}, "one has 20 timesteps, the other 21"),
        ({"batch": 2}, "one has 1 sequences, the other 2"),
        ({"hidden_size": 5}, "one has 4 units in layer 0, the other 5"),
        ({"proj_size": 2}, "one has 4 units of h in layer 0, the other 2"),
    ],
)
def test_runs_that_do_not_fit_are_refused(options: dict[str, int], sentence: str) -> None:
    plain: dict[str, Any] = {"steps": 20, "hidden_size": 4}
    with pytest.raises(UserError, match=sentence):
        first_divergence(synthetic(**plain), synthetic(**{**plain, **options}))


@pytest.mark.parametrize("tolerance", [-1e-9, np.nan, np.inf])
def test_a_tolerance_that_means_nothing_is_refused(tolerance: float) -> None:
    with pytest.raises(UserError, match="tolerance"):
        first_divergence(synthetic(), synthetic(), tolerance)


class Watched(np.ndarray):
    """An array that remembers how far it was read."""

    reach = 0

    def __getitem__(self, key: Any) -> Array:
        if isinstance(key, slice):
            Watched.reach = max(Watched.reach, key.stop)
        return np.asarray(super().__getitem__(key))


def test_a_long_run_is_not_read_past_the_block_of_the_first_difference() -> None:
    steps = 1_000_000
    plain = synthetic("rnn_tanh", 2, 1)
    zeros: Array = np.broadcast_to(np.float32(0), (steps, 1, 1))
    keys = ("x", "h_pre", "h")
    arrays = {**plain.arrays, **{f"0/forward/{q}": zeros.view(Watched) for q in keys}}
    header = replace(plain.header, steps=steps)
    h = np.zeros((steps, 1, 1), np.float32)
    h[1000] = 1
    other = {**arrays, **{f"0/forward/{q}": zeros[:] for q in keys}, "0/forward/h": h}
    found = first_divergence(Trace(header, arrays), Trace(header, other))
    assert place(found) == (1000, 0, "forward", "h", 0, 0)
    assert 1000 < Watched.reach <= 4096
