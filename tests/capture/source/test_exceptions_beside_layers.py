"""An exception of a model's code: the layers of PyTorch's that ran before it are kept beside the code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.source import Raised

T, B = 6, 2


class Tagger(nn.Module):
    def __init__(self, raises: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        self.cell, self.head, self.gru = nn.LSTMCell(8, 4), nn.Linear(4, 5), nn.GRU(8, 4)
        self.raises = raises

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.encoder(x)
        fail("at once", self.raises)
        _ = self.gru(y[..., :3]) if self.raises == "gru" else y
        try:
            _ = self.gru(y[..., :3]) if self.raises == "caught" else y
        except RuntimeError:
            self.gru(y)
        h = c = torch.zeros(x.shape[1], 4)
        out = []
        for t in range(T):
            fail("first pass", self.raises)
            if self.raises == "cell" and t == 3:
                self.cell(y[t, :, :3], (h, c))
            h, c = self.cell(y[t], (h, c))
            if t == 3:
                fail("loop", self.raises)
            tag = self.head(h)
            out.append(tag)
        return torch.stack(out)


def fail(here: str, where: str) -> None:
    try:
        raise KeyError(here)
    except KeyError:
        if here == where:
            raise ValueError("the sensor is gone") from None


def inputs() -> Tensor:
    return torch.randn(T, B, 3, generator=torch.Generator().manual_seed(1))


def kept(raises: str, path: Path | None = None) -> lstmtui.Trace:
    with pytest.raises((ValueError, RuntimeError), match=r"sensor is gone|input_size|size\(-1\)") as caught:
        lstmtui.record(Tagger(raises), inputs(), source=True, path=path)
    return caught.value.lstmtui_trace  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("raises", "paths", "t", "cells"),
    [
        ("at once", ["encoder", "encoder", ""], T - 1, 0),
        ("gru", ["encoder", "encoder", ""], T - 1, 0),
        ("first pass", ["encoder", "encoder", ""], 0, 0),
        ("cell", ["encoder", "encoder", "cell", ""], 3, 3),
        ("loop", ["encoder", "encoder", "cell", ""], 3, 4),
    ],
)
@pytest.mark.parametrize("place", [lambda path: None, lambda path: path / "run.trace"])
def test_the_layers_that_ran_before_it_are_there_on_one_time(
    raises: str, paths: list[str], t: int, cells: int, place: Callable[[Path], Path | None], tmp_path: Path
) -> None:
    path = place(tmp_path)
    trace = kept(raises, path)
    whole = lstmtui.record(Tagger(), inputs(), source=True)
    assert [layer.path for layer in trace.layers] == paths
    assert trace.steps == T
    raised = trace.header.raised
    assert raised is not None
    source = trace.layers[-1].source
    assert source is not None
    place = source.functions[raised.function]
    text = place.text.splitlines()[raised.line - place.first_line].strip()
    lines = {"gru": "_ = self.gru(", "cell": "self.cell(y[t, :, :3], (h, c))"}
    assert text.startswith(lines.get(raises, 'raise ValueError("the sensor is gone")'))
    assert raised == Raised(len(paths) - 1, t, raised.line, raised.text, raised.function)
    for layer in range(2):
        for direction in ("forward", "backward"):
            for name in ("x", "i", "c", "h"):
                values = trace.values(name, layer, direction)
                assert np.array_equal(values, whole.values(name, layer, direction))
    assert "before there was a loss" in trace.absent()
    if cells:
        assert trace.arrays["2/lengths"].tolist() == [cells] * B
        assert np.array_equal(trace.values("h", 2)[:cells], whole.values("h", 2)[:cells])
        assert not trace.values("h", 2)[cells:].any()
    if path is not None:
        loaded = lstmtui.load(path)
        assert isinstance(loaded, lstmtui.Trace)
        assert loaded.header.raised == raised
        assert np.array_equal(loaded.values("h", 1, "backward"), whole.values("h", 1, "backward"))


def test_a_layers_own_exception_is_the_one_of_pytorch_and_the_model_may_catch_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as plain:
        Tagger("gru")(inputs())
    with pytest.raises(RuntimeError) as recorded:
        lstmtui.record(Tagger("gru"), inputs())
    assert str(recorded.value) == str(plain.value)
    for path in (None, tmp_path / "run.trace"):
        trace = lstmtui.record(Tagger("caught"), inputs(), path=path)
        assert [layer.path for layer in trace.layers] == ["encoder", "encoder", "gru", "cell"]
        assert trace.parity is not None
        assert trace.parity < 1e-5
        with torch.no_grad():
            model = Tagger()
            hidden, _ = model.gru(model.encoder(inputs())[0])
        assert np.allclose(trace.values("h", 2), hidden.numpy(), atol=1e-6)


def test_where_only_layers_of_pytorch_are_over_time_it_is_at_the_end_of_the_last() -> None:
    class OfBatch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, batch: SimpleNamespace) -> Tensor:
            self.rnn(batch.x)
            raise ValueError("the sensor is gone")

    with pytest.raises(ValueError, match="the sensor is gone") as caught:
        lstmtui.record(OfBatch(), SimpleNamespace(x=inputs()), source=True)
    trace = caught.value.lstmtui_trace  # type: ignore[attr-defined]
    line = OfBatch.forward.__code__.co_firstlineno + 2
    assert trace.header.raised == Raised(0, T - 1, line, "ValueError: the sensor is gone")
    assert [layer.path for layer in trace.layers] == ["rnn"]
