"""A trace as an xarray dataset."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui


@pytest.fixture
def trace() -> lstmtui.Trace:
    torch.manual_seed(4)
    return lstmtui.record(nn.LSTM(3, 6, 2, bidirectional=True, proj_size=4), torch.randn(5, 2, 3))


class Dataset(SimpleNamespace):
    """Takes what xarray.Dataset takes, and checks the lengths of axes as it does."""

    def __init__(self, variables: Any, coordinates: Any, attributes: Any) -> None:
        lengths: dict[str, int] = {}
        for axes, values in variables.values():
            assert (len(axes) if isinstance(axes, tuple) else 1) == values.ndim
            for axis, length in zip(axes, values.shape, strict=True):
                assert lengths.setdefault(axis, length) == length, axis
        super().__init__(variables=variables, coordinates=coordinates, attributes=attributes)


@pytest.fixture
def fake_xarray(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("xarray")
    fake.Dataset = Dataset  # type: ignore[attr-defined]
    fake.__spec__ = ModuleSpec("xarray", None)
    monkeypatch.setitem(sys.modules, "xarray", fake)


@pytest.mark.usefixtures("fake_xarray")
@pytest.mark.parametrize(("layer", "direction"), [(0, "forward"), (-1, "backward")])
def test_every_quantity_is_there_with_named_axes(trace: lstmtui.Trace, layer: int, direction: str) -> None:
    dataset = trace.to_xarray(layer, direction)
    assert {n for n in dataset.variables if not n.startswith("initial_")} == set(trace.quantities(layer))
    for name, (axes, values) in dataset.variables.items():
        quantity = name.removeprefix("initial_").removeprefix("d")
        last = {"x": "channel", "y": "output", "h": "projection"}.get(quantity, "unit")
        if name.startswith("initial_"):
            assert axes == ("batch", last)
        else:
            assert axes == ("time", "batch", last)
            assert values is trace.values(name, layer, direction)
    assert dataset.coordinates["layer"] == layer % 2
    assert dataset.coordinates["direction"] == direction
    assert dataset.attributes["loss"] == trace.loss


def test_with_xarray_itself_layers_can_be_put_together(trace: lstmtui.Trace) -> None:
    xarray = pytest.importorskip("xarray")
    both = xarray.concat([trace.to_xarray(n)[["f", "dc"]] for n in (0, 1)], "layer")
    assert both["f"].dims == ("layer", "time", "batch", "unit")
    np.testing.assert_array_equal(both["dc"].sel(layer=1, time=3), trace.values("dc", 1)[3])


def test_without_xarray_that_is_said(trace: lstmtui.Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.libraries.find_spec", lambda name: None)
    with pytest.raises(lstmtui.UserError, match=r"xarray is not installed.*pip install xarray"):
        trace.to_xarray()


@pytest.mark.usefixtures("fake_xarray")
def test_a_layer_that_is_not_there_is_said(trace: lstmtui.Trace) -> None:
    with pytest.raises(lstmtui.UserError, match="layer 2: this trace has layers 0 to 1"):
        trace.to_xarray(2)
