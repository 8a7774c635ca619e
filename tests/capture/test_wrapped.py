"""Modules inside wrappers: the recurrence is found, everything is left as it was."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, distributed, nn

from lstmtui.capture.record import record

EXACT = 1e-12


class Reader(nn.Module):
    """Something recurrent with something behind it, and state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 2)
        self.hidden: Any = None
        self.history: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        output, self.hidden = self.rnn(x, self.hidden)
        self.history.append(output)
        return self.head(self.norm(output.flatten(0, 1))).view(*x.shape[:2], 2)


def squares(result: Tensor) -> Tensor:
    return (result**2).sum()


def reader() -> tuple[Reader, Tensor]:
    torch.manual_seed(1)
    return Reader().double(), noise(5, 2, 3, seed=1)


@pytest.fixture
def process_group() -> Iterator[None]:
    if not distributed.is_available() or not distributed.is_gloo_available():
        pytest.skip("this torch is built without gloo")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def assert_same(wrapped: nn.Module, plain: Reader, x: Tensor) -> None:
    ours, theirs = record(wrapped, x, loss=squares), record(plain, x, loss=squares)
    assert set(ours.arrays) == set(theirs.arrays)
    for key, array in theirs.arrays.items():
        assert gap(ours.arrays[key], array) == 0, key
    assert (ours.name, ours.layers) == (theirs.name, theirs.layers)
    assert ours.layers[0].path == "rnn"


def test_data_parallel_modules_are_recorded_as_what_they_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where there is a GPU, a wrapper takes the model there.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, x = reader()
    assert_same(nn.DataParallel(model), model, x)
    nested = copy.deepcopy(model)
    nested.rnn = nn.DataParallel(nested.rnn)  # type: ignore[assignment]
    assert_same(nested, model, x)
    assert "forward" not in vars(nested.rnn)


def test_inputs_go_where_a_parallel_wrapper_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def moved(value: Any, device: torch.device) -> Any:
        seen.append(device)
        return value

    model, x = reader()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    outside, nested = nn.DataParallel(model), copy.deepcopy(model)
    nested.rnn = nn.DataParallel(nested.rnn)  # type: ignore[assignment]
    outside.device_ids = nested.rnn.device_ids = [0]
    for module in ("record", "modules.wrapped"):
        monkeypatch.setattr(f"lstmtui.capture.{module}.moved", moved)
    assert_same(outside, model, x)
    assert seen == [torch.device("cpu", 0)] * 3  # x, hx and lengths
    seen.clear()
    assert_same(nested, model, x)
    assert seen == [torch.device("cpu", 0)] * 2  # what the layer is called with


def test_distributed_modules_are_recorded_as_what_they_wrap(process_group: None) -> None:
    model, x = reader()
    wrapped = nn.parallel.DistributedDataParallel(copy.deepcopy(model))
    assert_same(wrapped, model, x)
    squares(wrapped(x)).backward()  # and can still be trained
    assert wrapped.module.head.weight.grad is not None


def test_compiled_modules_are_recorded_as_what_they_were_compiled_from() -> None:
    model, x = reader()
    whole = torch.compile(copy.deepcopy(model), backend="eager")
    part, in_place, method = (copy.deepcopy(model) for _ in range(3))
    part.rnn = torch.compile(part.rnn, backend="eager")  # type: ignore[assignment]
    in_place.rnn.compile(backend="eager")
    method.rnn.forward = torch.compile(method.rnn.forward, backend="eager")  # type: ignore[method-assign]
    for wrapped in (whole, part, in_place, method):
        assert_same(wrapped, model, x)
        assert wrapped(x).requires_grad


def test_scripted_modules_are_refused_in_a_sentence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.LSTM(3, 4))
    for module, where in ((scripted, "LSTM"), (nn.Sequential(scripted), "0: LSTM")):
        with pytest.raises(TypeError, match=where + " is compiled by torch.jit, .* record the Python module"):
            record(module, torch.ones(4, 2, 3))


def test_code_of_which_no_python_is_left_is_refused_with_what_to_record() -> None:
    class Fades(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x[0]
            for t in range(x.shape[0]):
                h = 0.5 * h + x[t]
            return h

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(Fades())
        exported = torch.export.export(Fades(), (torch.ones(4, 2, 3),)).module()
    with pytest.raises(TypeError, match=r"Sequential: 0 is compiled by torch.jit, .* Python module that was"):
        record(nn.Sequential(scripted), torch.ones(4, 2, 3))
    with pytest.raises(TypeError, match="every loop is unrolled; record the Python module it was made from"):
        record(exported, torch.ones(4, 2, 3))


def test_everything_a_module_holds_is_left_as_it_was() -> None:
    model, x = reader()
    state, kinds = copy.deepcopy(model.state_dict()), [type(m) for m in model.modules()]
    buffers = [id(b) for b in model.buffers()]
    record(model, x, loss=squares)
    assert model.hidden is None
    assert model.history == []
    assert [type(m) for m in model.modules()] == kinds
    assert [id(b) for b in model.buffers()] == buffers
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    with pytest.raises(RuntimeError, match=r"Expected 3, got"):
        record(model, x[..., :2], loss=squares)
    assert [type(m) for m in model.modules()] == kinds


def test_what_was_made_in_inference_mode_is_recorded_like_any_other() -> None:
    torch.manual_seed(6)
    with torch.inference_mode():
        model, x = nn.Sequential(nn.LSTM(3, 4)), torch.ones(5, 2, 3)
        trace = record(model, x)
        assert torch.is_inference_mode_enabled()
    torch.manual_seed(6)
    plain = record(nn.Sequential(nn.LSTM(3, 4)), torch.ones(5, 2, 3))
    for name in plain.quantities():
        assert gap(trace.values(name), plain.values(name)) == 0, name
    assert next(model.parameters()).is_inference()


def test_lengths_go_to_the_layers_that_they_fit() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.pairs = nn.GRU(3, 4), nn.GRU(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            output, _ = self.words(x)
            return self.pairs(output[:2])[0]

    model, x, lengths = Pooled().double(), noise(6, 2, 3, seed=7), torch.tensor([6, 3])
    trace = record(model, x, loss=squares, lengths=lengths)
    assert trace.lengths.tolist() == [6, 3]
    assert trace.arrays["1/lengths"].tolist() == [2, 2]
    assert not trace.values("h")[3:, 1].any()
    with pytest.raises(ValueError, match="no recurrent layer was called with 3 sequences of at least 6"):
        record(model, x, lengths=[6, 3, 1])


def test_other_parts_of_a_model_may_be_scripted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(4, 2).double())
    model, x = reader()
    model.head = scripted
    trace = record(model, x, loss=squares)
    assert trace.parameter_gradients["head.weight"].any()
    assert model.history == []
