"""`record(…, source=…)`: what is chosen, what is refused, exceptions, traces on disk, scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.source import Raised, Source

T, B = 5, 3


def step(v: Tensor, h: Tensor) -> Tensor:
    z = torch.sigmoid(v)
    return z * h + (1 - z) * v


class Loop(nn.Module):
    def __init__(self, raises_at: int = -1, raises: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.raises = raises
        self.scale = nn.Parameter(torch.ones(()))
        self.raises_at = raises_at

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 2)
        out = []
        for t, v in enumerate(x):
            if t == self.raises_at:
                raise self.raises("the sensor is gone")
            h = step(v, h) * self.scale
            out.append(h)
        return torch.stack(out)


def inputs() -> Tensor:
    return torch.randn(T, B, 2, generator=torch.Generator().manual_seed(0))


def source_of(trace: lstmtui.Trace, layer: int = 0) -> Source:
    source = trace.layers[layer].source
    assert source is not None
    return source


@pytest.mark.parametrize(
    ("source", "layers"),
    [
        (True, {"Loop": {"x", "v", "h", "step_v", "step_h", "z", "t"}}),
        (step, {"step": {"v", "h", "z", "return_"}}),
        (f"{__name__}.step", {"step": {"v", "h", "z", "return_"}}),
        (Loop, {"Loop": {"x", "v", "h"}}),
        ([Loop, step], {"Loop": {"x", "v", "h"}, "step": {"v", "h", "z", "return_"}}),
    ],
)
def test_source_chooses_what_is_recorded(source: Any, layers: dict[str, set[str]]) -> None:
    trace = lstmtui.record(Loop(), inputs(), source=source)
    assert trace.steps == T
    recorded = {
        layer.cell: {v.name for v in source_of(trace, n).variables} for n, layer in enumerate(trace.layers)
    }
    assert recorded.keys() == layers.keys()
    for name, variables in recorded.items():
        assert variables <= layers[name]
        assert {"v", "h"} <= variables


def test_a_model_that_says_nothing_is_refused_with_what_ran() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return step(x, x).mean(0)

    said = (
        r"Mean holds no LSTM.*What ran: .*Mean\.forward once, step once.*source=MyCell.*"
        r"time_axis=0 \(5 timesteps\) or time_axis=1 \(3 timesteps\)"
    )
    with pytest.raises(TypeError, match=said):
        lstmtui.record(Mean(), inputs())
    with pytest.raises(TypeError, match=r"source= names nothing that ran\. What ran: .*Loop\.forward once"):
        lstmtui.record(Loop(), inputs(), source="some.package")
    with pytest.raises(TypeError, match="there is no Python code of yours in it that ran"):
        lstmtui.record(nn.LSTM(2, 3), inputs(), source="some.package")
    with pytest.raises(ValueError, match="x: there is no sequence or no timestep in it"):
        lstmtui.record(Loop(), inputs()[:, :0])
    with pytest.raises(TypeError, match="source: must be True, or name functions"):
        lstmtui.record(Loop(), inputs(), source=3)
    with pytest.raises(TypeError, match="is recorded by source, which source=False turns off"):
        lstmtui.record(Loop(), inputs(), source=False)
    with pytest.raises(ValueError, match="time_axis: no tensor of the input has an axis 7"):
        lstmtui.record(Loop(), inputs(), time_axis=7)
    with pytest.raises(ValueError, match="time_axis: is for code that is recorded by source"):
        lstmtui.record(nn.LSTM(2, 3), inputs(), time_axis=0)
    with pytest.raises(ValueError, match="lengths: no recurrent layer was called"):
        lstmtui.record(Loop(), inputs(), lengths=[T] * B)


def test_what_is_of_all_time_at_once_is_a_series_along_the_axis_that_is_time() -> None:
    class Shift(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mixed = x + x.roll(1, 0)
            return mixed.square()

    x = torch.randn(4, 4, 3, requires_grad=True)
    for axis in (0, 1):
        trace = lstmtui.record(Shift(), x, time_axis=axis)
        mixed = (x + x.roll(1, 0)).detach().numpy()
        assert np.array_equal(trace.values("mixed"), mixed if axis == 0 else mixed.swapaxes(0, 1))
        assert np.array_equal(trace.values("dmixed"), 2 * trace.values("mixed"))

    class Scan(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            total = x.cumsum(1)
            return total * 2

    trace = lstmtui.record(Scan(), torch.randn(B, T, 2, requires_grad=True))
    assert trace.values("total").shape == (T, B, 2), "the scan says which axis is time"


def test_an_exception_comes_out_as_it_is_and_what_was_recorded_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the sensor is gone") as caught:
        lstmtui.record(Loop(raises_at=3), inputs())
    trace = caught.value.lstmtui_trace  # type: ignore[attr-defined]
    line = Loop.forward.__code__.co_firstlineno + 5
    assert trace.header.raised == Raised(0, 3, line, "ValueError: the sensor is gone", 0)
    assert any("lstmtui.debug(error.lstmtui_trace)" in note for note in caught.value.__notes__)
    whole = lstmtui.record(Loop(), inputs())
    assert np.array_equal(trace.values("h")[:3], whole.values("h")[:3])
    assert trace.arrays["0/forward/bound/h"].tolist() == [True, True, True, False]
    assert "before there was a loss" in trace.absent()

    with pytest.raises(ValueError, match="the sensor is gone"):
        lstmtui.record(Loop(raises_at=3), inputs(), path=tmp_path / "run.trace")
    loaded = lstmtui.load(tmp_path / "run.trace")
    assert isinstance(loaded, lstmtui.Trace)
    assert loaded.header.raised == trace.header.raised
    with pytest.raises(KeyboardInterrupt) as interrupted:
        lstmtui.record(Loop(raises_at=3, raises=KeyboardInterrupt), inputs())
    stopped = interrupted.value.lstmtui_trace  # type: ignore[attr-defined]
    assert stopped.header.raised == Raised(0, 3, line, "KeyboardInterrupt: the sensor is gone", 0)
    with pytest.raises(IndexError) as early:
        lstmtui.record(Loop(), torch.zeros(()))
    assert not hasattr(early.value, "lstmtui_trace")


def test_a_sparse_tensor_is_left_out_and_nothing_else() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.eye(2))

        def forward(self, x: Tensor) -> Tensor:
            h = x[0]
            for v in x:
                s = self.w.to_sparse()
                h = torch.sparse.mm(s, h.T).T + v
            return h

    trace = lstmtui.record(Sparse(), inputs())
    assert [v.name for v in source_of(trace).variables] == ["x", "v", "h"]
    assert trace.values("dh").shape == (T, B, 2)


def test_a_trace_by_source_is_saved_loaded_and_written_as_it_is_recorded(tmp_path: Path) -> None:
    trace = lstmtui.record(Loop(), inputs())
    trace.save(tmp_path / "saved.trace")
    written = lstmtui.record(Loop(), inputs(), path=tmp_path / "written.trace")
    for other in (written, lstmtui.load(tmp_path / "saved.trace"), lstmtui.load(tmp_path / "written.trace")):
        assert isinstance(other, lstmtui.Trace)
        assert other.layers == trace.layers
        for key, array in trace.arrays.items():
            assert np.array_equal(other.arrays[key], array), key


def test_the_same_is_recorded_again_with_the_same_random_numbers() -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(B, 2)
            for v in x:
                h = torch.tanh(h + v + torch.randn(B, 2))
            return h

    trace = lstmtui.record(Noisy(), inputs().requires_grad_())
    assert trace.rerun_source is not None
    seen: list[Any] = []
    state = torch.get_rng_state()
    again = trace.rerun_source(seen.append)
    assert len(seen) == 1
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(again.values("h"), trace.values("h"))
    assert np.array_equal(again.values("dh"), trace.values("dh"))


CODE = """
import torch
from torch import nn

class Mean(nn.Module):
    def __init__(self, limit=99):
        super().__init__()
        self.limit, self.fc = limit, nn.Linear(1, 1)

    def forward(self, x):
        h, out = torch.zeros_like(x[0]), []
        for t in range(len(x)):
            if t == self.limit:
                raise IndexError("no such timestep")
            h = 0.5 * h + self.fc(x[t])
            out.append(h)
        return torch.stack(out)
"""
SCENARIO = """
[input]
values = [[[1.0], [2.0], [3.0]], [[1.0], [0.0], [0.0]]]
[objective]
loss = "mse"
at = "last"
target = [[[0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0]]]
[run]
device = "cpu"
[[model]]
factory = "my_loops:Mean"
"""


def test_a_scenarios_factory_is_recorded_by_source(tmp_path: Path) -> None:
    (tmp_path / "my_loops.py").write_text(CODE)
    path = tmp_path / "a.toml"
    path.write_text(SCENARIO + "source = true\n")
    trace = lstmtui.run(path, trust=True)["Mean"]
    assert (trace.steps, trace.batch) == (3, 2)
    assert trace.header.loss_text.startswith("mse")
    assert trace.loss == pytest.approx(float(((trace.values("y")[-1, :, 0] - [0, 1]) ** 2).mean()))
    assert trace.rerun_source is not None

    path.write_text(SCENARIO + "arguments = { limit = 2 }\n")
    raised = lstmtui.run(path, trust=True)["Mean"].header.raised
    assert raised == Raised(0, 2, 14, "IndexError: no such timestep", 0)

    path.write_text(SCENARIO + 'source = ["not a name"]\n')
    with pytest.raises(
        lstmtui.UserError, match=r'source: is a list; allowed: true, false, "package\.module\.name"'
    ):
        lstmtui.run(path, trust=True)


def test_a_scenario_whose_code_takes_sequences_for_timesteps_is_told_of_batch_first(tmp_path: Path) -> None:
    (tmp_path / "sequences_first.py").write_text(
        "import torch\n"
        "class Mean(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        h = x.new_zeros(x.shape[0], 4)\n"
        "        for t in range(x.shape[1]):\n"
        "            h = h / 2 + super().forward(x[:, t])\n"
        "        return h[:, None] * x.new_ones(1, x.shape[1], 1)\n"
    )
    text = (
        "[input]\nvalues = [[1.0], [2.0], [3.0]]\n[[model]]\nname = 'M'\nfactory = 'sequences_first:Mean'\n"
        "arguments = { in_features = 1, out_features = 4 }\n"
    )
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(lstmtui.UserError, match=r"1 timestep,.* input has 3, .*: say batch_first = true, or"):
        lstmtui.run(path, trust=True)
    for batch_first, extent in (("true", (3, 1)), ("false", (1, 3))):
        path.write_text(text + f"batch_first = {batch_first}\n")
        trace = lstmtui.run(path, trust=True)["M"]
        assert (trace.steps, trace.batch) == extent
        assert trace.values("y").shape == (*extent, 4)


def test_tensors_without_values_are_said_to_have_none() -> None:
    class Mapped(Loop):
        def forward(self, x: Tensor) -> Tensor:
            return torch.vmap(self.alone, in_dims=1)(x)

        def alone(self, x: Tensor) -> Tensor:
            h = x.new_zeros(2)
            for v in x:
                h = torch.tanh(v + h) * self.scale
            return h

    with pytest.raises(TypeError, match=r"torch\.vmap or torch\.func: have it read the whole batch"):
        lstmtui.record(Mapped(), inputs())


def test_a_model_whose_recurrent_layers_are_not_called_is_told_of_source() -> None:
    class Unused(Loop):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.GRUCell(3, 4)

    with pytest.raises(TypeError, match=r"none of its recurrent layers was called, .*; source=True records"):
        lstmtui.record(Unused(), torch.randn(5, 2, 2))
    assert lstmtui.record(Unused(), torch.randn(5, 2, 2), source=True).steps == 5
