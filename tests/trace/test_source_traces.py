"""A run of code of the user's own is kept, checked and read like that of a cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from source_traces import INNER, source_trace

from lstmtui.errors import UserError
from lstmtui.trace import Trace, load
from lstmtui.trace.manifest import header_entry
from lstmtui.trace.validation import shape_problems
from lstmtui.trace.writing import TraceWriter


def test_a_saved_run_has_its_source_and_arrays_when_it_is_opened(tmp_path: Path) -> None:
    trace = source_trace()
    trace.save(tmp_path / "run")
    opened = load(tmp_path / "run")
    assert isinstance(opened, Trace)
    assert opened.header == trace.header
    assert set(opened.arrays) >= set(trace.arrays)
    for key, array in trace.arrays.items():
        np.testing.assert_array_equal(opened.arrays[key], array)


def test_its_line_says_how_many_names_it_has() -> None:
    assert repr(source_trace()) == "<Trace mine: LayerNormLSTM 21 names; T=12, B=2, loss 0.5>"


def test_its_names_are_the_quantities(tmp_path: Path) -> None:
    trace = source_trace(steps=5, batch=3)
    assert trace.cell().states == ("new_c", "new_h", "S")
    assert trace.cell().gates == ("f", "i", "o")
    assert trace.values("S").shape == (5, 3, 12)
    assert trace.values("denergy").shape == (5, 3, 1)
    assert trace.norms("dnew_c").shape == (5, 3)
    np.testing.assert_array_equal(trace.initial("new_h"), trace.values("h_prev")[0])
    assert "dbest" not in trace.quantities()
    assert trace.cell().stages.count("u") == INNER


def test_a_name_without_a_derivative_says_why() -> None:
    with pytest.raises(UserError, match="dbest: not in this trace; best has no gradient: integer"):
        source_trace().values("dbest")


def test_a_run_that_carries_nothing_on_has_no_states() -> None:
    trace = source_trace()
    (layer,) = trace.layers
    entry: dict[str, Any] = json.loads(json.dumps(header_entry(trace.header)))
    for variable in entry["layers"][0]["source"]["variables"]:
        variable["carried_to"] = []
    assert layer.source is not None
    stateless = _read(entry)
    assert stateless.cell().states == ()
    assert stateless.cell().memory == ""
    with pytest.raises(UserError, match="this cell has none"):
        stateless.initial("new_h")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s["variables"][0].update(name="a b"), "no name"),
        (lambda s: s["variables"][0].update(name="../x"), "no name"),
        (lambda s: s["variables"][0].update(name="and"), "no name"),
        (lambda s: s["variables"][0].update(name="\x1b[31m"), "no name"),
        (lambda s: s["variables"][0].update(name="gates"), "the same"),
        (lambda s: s["variables"][0].update(name="df"), "derivative"),
        (lambda s: s["variables"][0].update(shape=[0]), "an axis of no size"),
        (lambda s: s["variables"][0].update(shape=[77]), "another number"),
        (lambda s: s["variables"][0].update(function=9), "that it has not"),
        (lambda s: s["variables"][0].update(carried_to=["nobody"]), "carried on"),
        (lambda s: s["stages"][0].update(variable="nobody"), "a stage binds"),
        (lambda s: s["stages"][0].update(depth=-1), "below the least"),
        (lambda s: s["constants"][0].update(name="a/b"), "no name"),
        (lambda s: s.update(stages=[]), "no stages"),
    ],
)
def test_what_does_not_fit_together_is_said(change: Any, problem: str) -> None:
    entry: dict[str, Any] = json.loads(json.dumps(header_entry(source_trace().header)))
    change(entry["layers"][0]["source"])
    (wrong, *_) = shape_problems(_read(entry).header, {})
    assert problem in wrong


def test_arrays_of_other_shapes_are_refused() -> None:
    trace = source_trace(steps=4)
    for key in ("S", "initial/S", "bound/noise", "inner/u", "once/mask"):
        problems = shape_problems(trace.header, {f"0/forward/{key}": {"shape": [1, 1], "dtype": "<f4"}})
        assert len(problems) == 1, key


def test_names_that_begin_with_d_are_seen_while_it_is_recorded(tmp_path: Path) -> None:
    trace = source_trace(steps=4)
    with TraceWriter(tmp_path / "run") as writer:
        constant = {
            k: a for k, a in trace.arrays.items() if "once/" in k or "initial/" in k or k == "lengths"
        }
        writer.describe(trace.header, constant)
        for key, array in trace.arrays.items():
            if key not in constant:
                writer.array(key, array.shape, array.dtype).write_all(array)
        writer.advance(4)
        entry = writer.entry()
        assert entry is not None
        assert "0/forward/step" in entry["arrays"]
        assert "0/forward/dstep" not in entry["arrays"]


def _read(entry: dict[str, Any]) -> Trace:
    from lstmtui.trace.manifest import read_header

    return Trace(read_header(entry, Path("here")), {})
