"""The quantities that names of the code become."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.layers.names import TAKEN, name_all
from lstmtui.capture.source.layers.series import Series
from lstmtui.playback.export import export
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace.labelled import to_dataset
from lstmtui.trace.source_validation import _no_names
from lstmtui.words import CONNECTIVES, FUNCTIONS, SCALARS


def forward() -> None: ...


def norm() -> None: ...


def within() -> None: ...


def called(*functions: Callable[[], None]) -> Call:
    """The last of some functions that call each other."""
    call = None
    for number, function in enumerate(functions):
        call = Call(number, function.__code__, function.__name__, None, "", call)
    assert call is not None
    return call


CALLS = {own.code: own for own in (called(forward), called(forward, norm), called(forward, norm, within))}


def named(*names: tuple[CodeType, str, int]) -> list[str]:
    series = [
        Series(code, name, place, 1, [[Binding(0, CALLS[code], name, 1, (), torch.zeros(1), 0)]])
        for code, name, place in names
    ]
    name_all(series, forward.__code__)
    return [part.name for part in series]


def test_every_word_of_the_language_is_kept_for_it() -> None:
    assert frozenset((*SCALARS, *FUNCTIONS, *CONNECTIVES, "y", "reads")) == TAKEN


@pytest.mark.parametrize(
    ("written", "quantities"),
    [
        (["f", "self.hidden"], ["f", "hidden"]),
        (["self.hidden", "hidden"], ["self_hidden", "hidden"]),
        (["t", "loss", "max", "y", "x"], ["t_", "loss_", "max_", "y_", "x"]),
        (["c", "dc"], ["c", "dc_"]),
        (["dc", "c"], ["dc", "c_"]),
        (["state[0]", "state[1]"], ["state_0", "state_1"]),
        (["lambda_", "None_", "el", "ef"], ["lambda_", "None_", "el_", "ef_"]),
        (["_[0]", "__", "self.__h"], ["_0", "_", "h"]),
        (["n" * 500], ["n" * 90]),
    ],
)
def test_a_name_is_an_identifier_that_means_one_thing(written: list[str], quantities: list[str]) -> None:
    assert named(*((forward.__code__, name, 0) for name in written)) == quantities
    assert list(_no_names([name for own in quantities for name in (own, "d" + own)])) == []


def test_names_of_functions_below_are_led_by_the_functions_where_they_collide() -> None:
    own, other = forward.__code__, norm.__code__
    assert named((other, "v", 0), (own, "v", 0), (other, "mean", 0)) == ["norm_v", "v", "norm_mean"]
    inner = within.__code__
    assert named((inner, "h", 0), (other, "h", 0)) == ["within_h", "h"], "the outer one's is the plain one"


def test_the_places_of_a_name_are_numbered_and_the_last_has_it_plain() -> None:
    own = forward.__code__
    assert named((own, "f", 1), (own, "f", 2), (own, "f", 0)) == ["f_1", "f_2", "f"]
    assert named((own, "f", 1), (own, "f", 0), (own, "f_1", 0)) == ["f_1_", "f", "f_1"]


class Clashing(nn.Module):
    """Names that mean something to arrays, files, axes and numpy."""

    def forward(self, x: Tensor) -> Tensor:
        h, seen = x.new_zeros(x.shape[1], 3), []
        rare = h
        for v in x:
            time = torch.tanh(v + h)
            unit_3 = time * 2
            lengths = unit_3 * 2
            reads = lengths * 2
            file = reads * 2
            σ = file * 0.1
            loss = σ.sum(-1)
            initial_h = σ * 3
            lengths_ = initial_h * 4
            h = lengths_ + loss[:, None]
            bound_rare = h * 2
            if len(seen) % 2:
                rare = bound_rare * 2
            seen.append(rare)
        return h


def test_names_that_arrays_or_files_have_too_are_kept_and_exported(tmp_path: Path) -> None:
    x = torch.randn(4, 2, 3, requires_grad=True)
    lstmtui.record(Clashing(), x, path=tmp_path / "run.trace")
    trace = lstmtui.load(tmp_path / "run.trace")
    assert isinstance(trace, lstmtui.Trace)
    names = ["time", "unit_3", "lengths", "reads_", "file", "σ", "loss_", "initial_h", "lengths_", "h"]
    names += ["bound_rare", "rare"]
    assert trace.layers[0].source is not None
    assert [v.name for v in trace.layers[0].source.variables][2:] == names
    view = Session(trace).view
    arrays, table = io.BytesIO(), io.BytesIO()
    export(view, "a.npz", arrays)
    export(view, "a.csv", table)
    arrays.seek(0)
    with np.load(arrays) as kept:
        assert kept["lengths"].tolist() == [4, 4]
        for name in names:
            has_underscore = name in ("file", "initial_h", "bound_rare")
            key = {"lengths": "lengths__"}.get(name, name + "_" * has_underscore)
            assert np.array_equal(kept[key].reshape(4, 2, -1), trace.values(name)), name
    assert "norm(σ),σ[0]" in table.getvalue().decode()


def test_a_dataset_has_no_variable_named_like_an_axis() -> None:
    trace = lstmtui.record(Clashing(), torch.randn(4, 2, 3, requires_grad=True))
    values = {name: trace.values(name) for name in ("time", "unit_3", "σ", "initial_h")}
    with pytest.MonkeyPatch.context() as patch:
        fake = ModuleType("xarray")
        fake.Dataset = lambda *parts: parts  # type: ignore[attr-defined]
        fake.__spec__ = ModuleSpec("xarray", None)
        patch.setitem(sys.modules, "xarray", fake)
        initial = {"h": trace.initial("h")}
        variables, _, _ = to_dataset(trace.header, 0, "forward", values, initial)
    assert [*variables] == ["time_", "unit_3_", "σ", "initial_h_", "initial_h"]
    assert {axis for axes, _ in variables.values() for axis in axes} == {"time", "batch", "unit_3"}


class Change(nn.Module):
    """A state beside what it changes by."""

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for v in x:
            dh = torch.tanh(v - h)
            h = h + dh
        return h


def test_who_asks_for_a_name_as_the_code_writes_it_is_told_what_it_is_called() -> None:
    session = Session(lstmtui.record(Change(), torch.randn(4, 2, 3, requires_grad=True)))
    command = parse_line("print h", vocabulary=session.vocabulary)
    assert command is not None
    outcome = execute(session, command)
    assert "the selected layer has x, v, dh, h_; did you mean h_?" in outcome.text
