"""The public API: what `import lstmtui` gives, how it is called, and what it costs."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import lstmtui

NAMES = [
    *("Cancelled", "Cell", "Parameter", "Recurrent", "Trace", "Traces", "UserError", "debug", "diagnose"),
    *("laws", "lightning_watch", "load", "record", "recording", "register", "run", "watch"),
]


def test_the_names_are_those_of_the_contract() -> None:
    assert lstmtui.__all__ == NAMES
    assert dir(lstmtui) == sorted([*NAMES, "__version__"])


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    assert (getattr(lstmtui, name).__doc__ or "").strip()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lstmtui' has no attribute 'nothing'"):
        _ = lstmtui.nothing
    assert not hasattr(lstmtui, "__path_of_nothing__")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("record", ["module", "x", "hx", "loss", "device", "lengths"]),
        ("recording", ["path", "source", "time_axis", "batch_axis", "name"]),
        ("run", ["scenario"]),
        ("load", ["path"]),
        ("debug", ["trace"]),
        ("diagnose", ["trace"]),
        ("laws", ["model", "x", "state"]),
        ("lightning_watch", ["when", "keep", "path", "every", "limit"]),
        (
            "Recurrent",
            [
                "cell",
                "input_size",
                "hidden_size",
                "num_layers",
                "bidirectional",
                "proj_size",
                "bias",
                "batch_first",
            ],
        ),
    ],
)
def test_arguments_have_the_names_and_the_order_of_the_contract(name: str, parameters: list[str]) -> None:
    found = [p for p in inspect.signature(getattr(lstmtui, name)).parameters if p != "self"]
    assert found[: len(parameters)] == parameters


def test_the_version_is_that_of_the_distribution() -> None:
    assert importlib.import_module("importlib.metadata").version("lstmtui") == lstmtui.__version__


def test_the_readers_first_steps(tmp_path: Path) -> None:
    """The calls of the contract, one after another."""
    layer = lstmtui.Recurrent(
        "lstm_peephole",
        input_size=8,
        hidden_size=32,
        num_layers=2,
        bidirectional=False,
        proj_size=0,
        bias=True,
        batch_first=False,
    )
    x = torch.randn(6, 3, 8)
    output, (h, c) = layer(x, None)
    assert (output.shape, h.shape, c.shape) == ((6, 3, 32), (2, 3, 32), (2, 3, 32))
    trace = lstmtui.record(layer, x, hx=None, loss=None, device=None, lengths=None)
    assert trace.values("f", layer=0, direction="forward").shape == (6, 3, 32)
    assert trace.norms("dh").shape == (6, 3)
    assert isinstance(trace.loss, float)
    assert trace.parity is None
    assert trace.initial("h").shape == (3, 32)
    assert trace.parameter_gradients["weight_ih_l0"].shape == (128, 8)
    trace.save(tmp_path / "run.trace")
    again = lstmtui.load(tmp_path / "run.trace")
    assert isinstance(again, lstmtui.Trace)
    assert (again.values("dc") == trace.values("dc")).all()


@pytest.mark.parametrize(
    "module", [nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4), nn.LSTMCell(3, 4), nn.GRUCell(3, 4)]
)
def test_stock_modules_are_recorded_in_one_call(module: nn.Module) -> None:
    trace: Any = lstmtui.record(module, torch.randn(5, 2, 3))
    assert trace.values("dh").shape == (5, 2, 4)
    assert trace.parity < 1e-5


def test_verdicts_are_objects_that_read_as_sentences() -> None:
    torch.manual_seed(1)
    trace = lstmtui.record(nn.RNN(1, 4), torch.randn(80, 1, 1))
    verdicts = lstmtui.diagnose(trace)
    vanishing = next(v for v in verdicts if v.name == "vanishing")
    assert vanishing.severity == "bad"
    assert repr(vanishing).startswith("<vanishing, bad: layer 0 forward: ")
    assert f"next: {vanishing.next}>" in repr(vanishing)
    with pytest.raises(TypeError, match=r"must be an lstmtui\.Trace, is Traces"):
        lstmtui.diagnose(lstmtui.Traces(a=trace))  # type: ignore[arg-type]


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (Path(__file__).parents[1] / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = [line for line in changelog.splitlines() if line.startswith("## ")]
    assert headings[0].removeprefix("## ").split(",")[0] == lstmtui.__version__
