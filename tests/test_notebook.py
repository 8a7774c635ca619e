"""A trace in a notebook: a picture that is XML, the verdicts, escaped, and the way to a terminal."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.notebook import html_of, is_notebook, picture

EVIL = "<script>alert(1)</script>&\x1b[2J"


@pytest.fixture(scope="module")
def trace() -> lstmtui.Trace:
    torch.manual_seed(2)
    return lstmtui.record(nn.LSTM(3, 5, 2, bidirectional=True), torch.randn(300, 2, 3), name=EVIL)


def test_the_html_is_well_formed_and_nothing_of_a_file_is_markup(trace: lstmtui.Trace) -> None:
    evil = replace(trace.header, module=EVIL, labels=(EVIL,) * 3)
    html = lstmtui.Trace(evil, trace.arrays)._repr_html_()
    tree = ElementTree.fromstring(html)
    assert not list(tree.iter("script"))
    assert "\x1b" not in html
    text = "".join(tree.itertext())
    assert "<script>alert(1)</script>&" in text
    assert "T=300, B=2" in text
    for verdict in lstmtui.diagnose(trace):
        assert (str(verdict) if verdict.severity != "fine" else verdict.name) in text


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5000, 300)])
def test_every_value_of_the_picture_has_the_colour_of_its_sign(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(3).choice([-1.0, 1.0], shape)
    values[0, 0] = np.nan
    tree = ElementTree.fromstring(picture(values))
    columns, rows = (int(n) for n in tree.attrib["viewBox"].split()[2:])
    assert (columns, rows) == (min(shape[0], 96), min(shape[1], 24))
    drawn = {
        path.attrib["fill"]: re.findall(r"M(\d+) (\d+)h1v1h-1z", path.attrib["d"])
        for path in tree.iter("{http://www.w3.org/2000/svg}path")
    }
    assert drawn["#8a2be2"] == [("0", "0")]
    assert sum(map(len, drawn.values())) == columns * rows
    if shape[0] <= 96:
        for color, sign in (("#2166ac", -1.0), ("#b2182b", 1.0)):
            cells = {(int(t), int(unit)) for t, unit in drawn.get(color, [])}
            assert cells == {(int(t), int(unit)) for t, unit in np.argwhere(values == sign)}


def test_a_run_of_zeros_or_nan_can_be_drawn() -> None:
    for value in (0.0, np.nan, np.inf, 1e300):
        ElementTree.fromstring(picture(np.full((3, 2), value)))


def test_in_a_notebook_debug_draws_and_says_where_it_was_saved(
    trace: lstmtui.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    python, display = ModuleType("IPython"), ModuleType("IPython.display")
    python.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.HTML, display.display = str, shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert is_notebook()
    lstmtui.debug(lstmtui.Traces(a=trace, b=trace))
    assert shown[:2] == [html_of(trace)] * 2
    path = re.search(r"lstmtui open (\S+run\.trace)", shown[2])
    assert path is not None
    assert set(lstmtui.load(Path(path[1]))) == {"a", "b"}  # type: ignore[arg-type]


def test_without_a_terminal_the_advice_is_one_that_works(
    trace: lstmtui.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_notebook()
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(lstmtui.UserError, match=r"needs a terminal; `trace\.save\(path\)` here"):
            lstmtui.debug(trace)


def test_a_trace_says_what_it_is_and_is_asked_by_name(trace: lstmtui.Trace) -> None:
    said = repr(trace)
    assert "lstm 3 → 5, lstm 10 → 5; T=300, B=2, loss " in said
    assert said.isprintable()
    assert repr(lstmtui.Trace(replace(trace.header, loss=float("nan")), {})).endswith(", loss NaN>")
    assert np.array_equal(trace["f"], trace.values("f"))
    assert "dc" in trace
    assert "z" not in trace
    assert 3 not in trace
    with pytest.raises(KeyError, match="z: not in this trace; layer 0 has x"):
        trace["z"]
    with pytest.raises(TypeError, match="indexed by the name of a quantity, not by int"):
        trace[0]  # type: ignore[index]
    with pytest.raises(TypeError, match="not iterable"):
        iter(trace)  # type: ignore[call-overload]
