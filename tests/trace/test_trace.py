"""A trace in memory: values, initial states and norms by the contract's names, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, load
from lstmtui.trace.keys import array_key
from lstmtui.trace.summaries import norms_of


def small_trace() -> Trace:
    """Two GRU layers, the second in both directions, two timesteps, one sequence."""
    layers = (Layer("gru", 1, 2), Layer("gru", 2, 2, bidirectional=True))
    arrays = {}
    number = 0.0
    for index, layer in enumerate(layers):
        for direction in layer.directions:
            for name in ("x", "r_pre", "r", "z_pre", "z", "n_pre", "n", "h"):
                for full in (name, "d" + name):
                    number += 1
                    shape = (2, 1, layer.size(full))
                    arrays[array_key(full, index, direction)] = np.full(shape, number, np.float32)
            arrays[array_key("initial/h", index, direction)] = np.full((1, 2), -number)
            arrays[array_key("initial/dh", index, direction)] = np.full((1, 2), -number / 2)
    return Trace(Header("small", layers, steps=2, batch=1, loss=0.5, parity=1e-7), arrays)


def test_printed_it_says_what_it_is() -> None:
    assert str(small_trace()).splitlines() == [
        "Trace of small: T=2, B=1, float32, cpu",
        "  layer 0: gru 1 → 2, 2 timesteps",
        "  layer 1: gru 2 → 2, both directions, 2 timesteps",
        "  loss 0.5: a function of your own",
        "  derivatives: of every quantity of every layer",
        "  lstmtui.diagnose(trace) says what is wrong; lstmtui.debug(trace) opens it",
    ]


def test_printed_it_says_why_derivatives_are_not_there() -> None:
    layers = (Layer("gru", 1, 2, path="a"), Layer("gru", 1, 2, path="b", absent="it ran without a graph"))
    header = Header("two", layers, steps=2, batch=1, loss_is_known=False, loss_text="the loop's \x1b[31m")
    said = str(Trace(header, {}))
    assert "  layer 1 b: gru 1 → 2, 2 timesteps" in said
    assert "  derivatives: of 1 of 2 layers (layer 1: it ran without a graph)" in said
    assert "loss unknown: the loop's" in said
    assert "\x1b" not in said


def test_values_are_found_by_quantity_layer_and_direction() -> None:
    trace = small_trace()
    assert trace.values("x")[0, 0, 0] == 1
    assert trace.values("dh")[0, 0, 0] == 16
    assert trace.values("x", 1, "forward").shape == (2, 1, 2)
    assert trace.values("x", 1, "backward")[0, 0, 0] == 33
    assert trace.values("h", -1, "backward") is trace.values("h", 1, "backward")
    assert trace.initial("h")[0, 0] == -16
    assert trace.initial("dh", -1)[0, 1] == -16


def test_facts_of_the_run() -> None:
    trace = small_trace()
    assert (trace.name, trace.steps, trace.batch, trace.loss, trace.parity) == ("small", 2, 1, 0.5, 1e-7)
    assert trace.lengths.tolist() == [2]
    assert trace.cell(1).name == "gru"
    assert trace.quantities()[:4] == ("x", "r_pre", "r", "z_pre")
    assert trace.quantities()[-1] == "dh"
    assert "y" not in trace.quantities()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("c",), "c: not in this trace; layer 0 has x, r_pre, r, .*, h, dx, .*dh"),
        (("y",), "y: not in this trace"),
        (("dy",), "dy: not in this trace"),
        (("ddh",), "ddh: not in this trace"),
        (("initial",), "initial: not in this trace"),
        (("h", 2), "layer 2: this trace has layers 0 to 1"),
        (("h", -3), "layer -3: this trace has layers 0 to 1"),
        (("h", 0, "backward"), "direction backward: this layer has forward"),
        (("h", 1, "up"), "direction up: this layer has forward and backward"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small_trace().values(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        small_trace().norms(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["c", "dc", "r", ""])
def test_an_initial_state_the_cell_does_not_have_is_refused(state: str) -> None:
    with pytest.raises(UserError, match=f"{state}: not an initial state; this cell has h"):
        small_trace().initial(state)


def test_norms_are_over_units_in_float64() -> None:
    values = np.array([[[3.0, 4.0]], [[np.nan, 1.0]], [[np.inf, 1.0]], [[0.0, 0.0]]], np.float32)
    trace = small_trace()
    trace.arrays["0/forward/h"] = values  # type: ignore[index]
    norms = trace.norms("h")
    assert norms.dtype == np.float64
    assert norms.shape == (4, 1)
    assert norms[0, 0] == 5
    assert np.isnan(norms[1, 0])
    assert np.isposinf(norms[2, 0])
    assert norms[3, 0] == 0
    assert trace.norms("h") is norms


def test_the_extent_of_a_quantity_leaves_out_what_is_not_finite() -> None:
    trace = small_trace()
    values = np.array([[[3.0, -4.0]], [[np.nan, 1.0]], [[np.inf, -np.inf]]], np.float32)
    trace.arrays["0/forward/h"] = values  # type: ignore[index]
    assert trace.extent("h")[:2] == (-4, 3)
    assert trace.extent("h").rms == pytest.approx(np.sqrt(26 / 3))
    trace.arrays["0/forward/r"] = np.full((2, 1, 2), np.nan)  # type: ignore[index]
    assert tuple(trace.extent("r")) == (0, 0, 0)
    with pytest.raises(UserError, match="c: not in this trace"):
        trace.extent("c")


def test_norms_and_extents_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    trace = small_trace()
    trace.arrays["1/backward/dh"] = np.array([[[np.nan, 1.0]], [[3.0, 4.0]]], np.float32)  # type: ignore[index]
    trace.save(tmp_path / "t")
    (data,) = (tmp_path / "t").glob("data-*")
    (data / "0" / "1" / "backward" / "dh.npy").unlink()
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    norms = found.norms("dh", 1, "backward")[:, 0]
    assert np.isnan(norms[0])
    assert norms[1] == 5
    assert found.extent("dh", 1, "backward") == trace.extent("dh", 1, "backward")
    assert found.extent("dh", 1, "backward")[:2] == (1, 4)


def test_norms_of_float32_do_not_overflow() -> None:
    assert norms_of(np.full((1, 1, 4), 1e30, np.float32))[0, 0] == pytest.approx(2e30)


def test_norms_of_a_long_run_are_those_of_its_parts() -> None:
    values = np.random.default_rng(0).standard_normal(((1 << 14) + 3, 1, 2)).astype(np.float32)
    expected = np.sqrt((values.astype(np.float64) ** 2).sum(-1))
    assert np.allclose(norms_of(values), expected, rtol=1e-12, atol=0)
