"""What a layer on a GPU did is worked out when somebody looks: the same arrays, from what the host kept.

On the CPU here: what holds for a device whose memory is scarce is told to hold for it.
"""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, as_states, gap, noise, random_recurrent
from torch import Tensor, nn

import lstmtui
from lstmtui.capture import layer_function as scan
from lstmtui.capture.fused import equations, method, taps, walk
from lstmtui.capture.fused.kernel import KERNELS, Kernel
from lstmtui.capture.recomputed_layer import RecomputedLayer
from lstmtui.capture.record import record
from lstmtui.errors import UserError
from lstmtui.trace import Trace

EXACT = 1e-12


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> list[RecomputedLayer]:
    """Arrays leave the device; gives every layer that is run again for somebody who looks."""
    looks: list[RecomputedLayer] = []
    run = RecomputedLayer._run

    def counted(self: RecomputedLayer) -> Any:
        looks.append(self)
        return run(self)

    monkeypatch.setattr(scan, "leaves_the_device", lambda _: True)
    monkeypatch.setattr(RecomputedLayer, "_run", counted)
    return looks


def squares(result: Any) -> Tensor:
    total: Tensor = (result[0] ** 2).sum()
    return total


def assert_same(ours: Trace, theirs: Trace) -> None:
    assert list(ours.arrays) == list(theirs.arrays) or set(ours.arrays) == set(theirs.arrays)
    assert ours.header == theirs.header
    for key, array in theirs.arrays.items():
        assert ours.arrays[key].dtype == array.dtype, key
        assert gap(ours.arrays[key], array) <= EXACT, key


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_arrays_are_those_of_a_recording_that_keeps_them(
    cell: str, request: pytest.FixtureRequest
) -> None:
    module, x = random_recurrent(cell, num_layers=2, bidirectional=True), noise(70, 3, 3, seed=301)
    kept = record(module, x, loss=squares, lengths=[70, 5, 31])
    looks = request.getfixturevalue("scarce")
    trace = record(module, x, loss=squares, lengths=[70, 5, 31])
    assert looks == []
    assert (trace.quantities(), trace.parity) == (kept.quantities(), kept.parity)
    assert looks == []
    assert_same(trace, kept)
    has_kernel = cell in KERNELS
    assert len(looks) == len(set(looks)) == 4 * has_kernel  # each layer and direction once


def test_what_is_changed_after_the_recording_does_not_show(scarce: list[RecomputedLayer]) -> None:
    module, x, h = nn.GRU(3, 4).double(), noise(9, 2, 3, seed=302), noise(1, 2, 4, seed=303)
    still, moved = (record(module, x, hx=h, loss=squares) for _ in range(2))
    before = {key: np.array(array) for key, array in still.arrays.items()}
    for tensor in (x, h, *module.parameters()):
        tensor.data.fill_(7.0)
    for key, array in before.items():
        assert gap(moved.arrays[key], array) <= EXACT, key


def test_what_the_model_does_in_place_does_not_show(scarce: list[RecomputedLayer]) -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.rnn(x)[0]
            return output.relu_()

    module = Changing().double()
    trace = record(module, noise(9, 2, 3, seed=304), loss=lambda y: y.sum())
    assert gap(trace.values("y"), np.maximum(trace.values("h"), 0)) <= EXACT
    assert (trace.values("h") < 0).any()


def test_a_layer_that_the_loss_does_not_read_has_derivatives_of_0(scarce: list[RecomputedLayer]) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.GRU(3, 4), nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x)
            output: Tensor = self.used(x)[0]
            return output

    trace = record(Two(), torch.ones(5, 2, 3), loss=lambda y: y.sum())
    idle, busy = (1, 0) if trace.layers[1].path == "unused" else (0, 1)
    assert not trace.values("dh", idle).any()
    assert trace.values("h", idle).any()
    assert trace.values("dh", busy).any()


def test_calls_that_go_on_are_one_run(scarce: list[RecomputedLayer]) -> None:
    class Chunks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            state, outputs = None, []
            for chunk in torch.split(x, 4):
                output, state = self.rnn(chunk, state)
                outputs.append(output)
            return torch.cat(outputs)

    module, x = Chunks().double(), noise(9, 2, 3, seed=305)
    whole = record(module.rnn, x, loss=squares)
    trace = record(module, x, loss=lambda y: (y**2).sum())
    assert trace.layers[0].calls == 3
    for name in ("x", "f", "c", "h", "dc", "dh", "df_pre"):
        assert gap(trace.values(name), whole.values(name)) <= EXACT, name


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_nothing_that_was_on_the_device_is_left_when_it_returns(
    kind: Any, scarce: list[RecomputedLayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[Tensor]] = []
    run = Kernel.run

    def watch(*tensors: Tensor) -> None:
        seen.extend(weakref.ref(tensor) for tensor in tensors)

    def watched_run(*arguments: Any) -> Any:
        ran = run(*arguments)
        watch(ran.output, *ran.finals, *ran.leaves)
        return ran

    def watched_values(*arguments: Any) -> Any:
        found = equations.values_of(*arguments)
        watch(*found.values.values())
        return found

    def watched_derivatives(derive: Any) -> Any:
        def watched(*arguments: Any) -> Any:
            segment = derive(*arguments)
            watch(*(segment.derivatives.values() if segment else ()))
            return segment

        return watched

    def loss(result: Any) -> Tensor:
        watch(result[0], *as_states(result[1]))
        return squares(result)

    monkeypatch.setattr(Kernel, "run", watched_run)
    monkeypatch.setattr(method, "values_of", watched_values)
    for derive in (taps.from_taps, walk.step_by_step):
        monkeypatch.setattr(method, derive.__name__, watched_derivatives(derive))
    layer, x = kind(3, 4, num_layers=2, bidirectional=True), noise(30, 2, 3, seed=306, dtype=torch.float32)
    gc.collect()
    gc.disable()  # what is given back does not wait for a collection
    try:
        trace = record(layer, x, loss=loss)
        assert len(seen) > 50
        alive = [tensor.shape for tensor in (ref() for ref in seen) if tensor is not None]
        assert alive == []
    finally:
        gc.enable()
    assert trace.values("dh").any()


def test_where_y_is_h_one_array_is_both(scarce: list[RecomputedLayer]) -> None:
    trace = record(nn.LSTM(3, 4), torch.ones(5, 2, 3), loss=squares)
    assert np.shares_memory(trace.values("y"), trace.values("h"))
    assert not any(array.flags.writeable for array in trace.arrays.values())
    assert len(scarce) == 1


def test_two_who_look_at_the_same_time_share_one_run(scarce: list[RecomputedLayer]) -> None:
    trace = record(nn.GRU(3, 4), torch.ones(40, 2, 3))
    looks = [Thread(target=trace.values, args=(name,)) for name in ("h", "z", "dn", "dh")]
    for look in looks:
        look.start()
    for look in looks:
        look.join(20)
    assert len(scarce) == 1


def test_no_memory_left_is_a_sentence(scarce: list[RecomputedLayer], monkeypatch: pytest.MonkeyPatch) -> None:
    trace = record(nn.GRU(3, 4), torch.ones(4, 2, 3))

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(RecomputedLayer, "_run", full)
        with pytest.raises(
            UserError, match="cpu: there is not enough memory to compute what this layer did; free"
        ):
            trace.values("z")
    assert trace.values("z").any()  # once there is some


def test_a_scenario_is_not_looked_at_before_it_is_shown(
    scarce: list[RecomputedLayer], tmp_path: Path
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        "[input]\nvalues = [[0.1], [0.2], [0.4]]\n[[model]]\nname = 'm'\ncell = 'gru'\nhidden_size = 2\n"
    )
    (trace,) = lstmtui.run(file, device="cpu").values()
    assert "parameters/weight_ih_l0" in trace.arrays
    assert (trace.quantities(), scarce) == (trace.quantities(), [])
    trace.save(tmp_path / "t")
    saved = lstmtui.load(tmp_path / "t")
    assert isinstance(saved, Trace)
    assert np.array_equal(saved.values("dz"), trace.values("dz"))
    assert len(scarce) == 1
