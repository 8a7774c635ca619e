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


def test_data_parallel_modules_are_recorded_as_what_they_wrap() -> None:
    model, x = reader()
    assert_same(nn.DataParallel(model), model, x)
    nested = copy.deepcopy(model)
    nested.rnn = nn.DataParallel(nested.rnn)  # type: ignore[assignment]
    assert_same(nested, model, x)
    assert "forward" not in vars(nested.rnn)


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
    with pytest.raises(ValueError, match=r"x: expected \(T, B, 3\)"):
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


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_cudnn_in_evaluation_goes_backward_with_no_dropout_turned_on(kind: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch.cuda has no device on this machine")

    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.drop = kind(3, 4, num_layers=2, dropout=0.5), nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.drop(self.rnn(x)[0])

    torch.manual_seed(8)
    model, x = Dropping().eval(), noise(5, 2, 3, seed=8, dtype=torch.float32)
    here, there = record(model, x, loss=squares), record(model, x, loss=squares, device="cuda")
    for key, array in here.arrays.items():
        assert gap(there.arrays[key], array) <= 1e-4, key
    assert not model.training
    assert not (there.values("x", 1) == 0).any()
