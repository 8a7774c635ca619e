"""The loss of a block or a step: what its backward passes were taken of, wherever they began."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.recurrents import noise
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

import lstmtui
from lstmtui.trace import Trace, Traces

EXACT = 1e-12
Pass = Callable[[Tensor], float]
"""Goes backward from a model's result, and returns what from."""


class SameFunctions(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def rnn() -> nn.LSTM:
    torch.manual_seed(0)
    return nn.LSTM(3, 4).double()


def backward(y: Tensor) -> float:
    loss = y.square().mean()
    loss.backward()
    return loss.item()


def several(y: Tensor) -> float:
    losses = [y.square().sum(), y[2].sum(), y.exp().mean()]
    for loss in losses:
        loss.backward(retain_graph=True)
    return sum(loss.item() for loss in losses)


def by_grad(y: Tensor) -> float:
    loss = y.square().sum()
    torch.autograd.grad(outputs=[loss], inputs=[y])
    nn.Linear(3, 3)(torch.ones(3)).sum().backward()  # comes to nothing that is recorded
    return loss.item()


def with_gradients(y: Tensor) -> float:
    weights, loss = noise(*y.shape, seed=1), y.sum()
    torch.autograd.backward([y, loss], [weights, None])
    return ((y * weights).sum() + loss).item()


def scaled_in_place(y: Tensor) -> float:
    loss = y.square().sum()
    loss.backward(torch.tensor(1024.0))
    value = 1024 * loss.item()
    with torch.no_grad():
        loss.zero_()
    return value


def with_a_mode(y: Tensor) -> float:
    with SameFunctions():
        return backward(y)


def in_a_thread(y: Tensor) -> float:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(backward, y).result()


def that_fails(y: Tensor) -> float:
    with pytest.raises(RuntimeError, match="created only for scalar"):
        y.backward()
    return backward(y)


@pytest.mark.parametrize("go", [
    backward, several, by_grad, with_gradients, scaled_in_place, with_a_mode, in_a_thread, that_fails,
])  # fmt: skip
def test_the_loss_of_a_block_is_what_its_backward_passes_were_taken_of(go: Pass) -> None:
    module, x, functions = rnn(), noise(5, 2, 3, seed=2), (torch.autograd.backward, torch.autograd.grad)
    with lstmtui.recording() as r:
        value = go(module(x)[0])
    assert r.trace.loss == pytest.approx(value, rel=EXACT)
    added = "the losses of the backward passes in the block, added up"
    assert r.trace.header.loss_text == (
        added if go is several else "the loss of the backward pass in the block"
    )
    assert (torch.autograd.backward, torch.autograd.grad) == functions


@pytest.mark.parametrize("reentrant", [True, False])
def test_the_backward_pass_within_a_checkpoint_is_a_part_of_the_one_round_it(reentrant: bool) -> None:
    module, x = rnn(), noise(5, 2, 3, seed=2).requires_grad_()
    with lstmtui.recording() as r:
        value = backward(checkpoint(lambda x: module(x)[0], x, use_reentrant=reentrant))
    assert r.trace.loss == pytest.approx(value, rel=EXACT)


def test_the_loss_of_code_by_source_is_that_of_its_backward_pass() -> None:
    weight, x = noise(4, 4, seed=3).requires_grad_(), noise(5, 2, 4, seed=4)
    with lstmtui.recording() as r:
        h = torch.zeros(2, 4, dtype=torch.float64)
        for now in x:
            h = torch.tanh(h @ weight + now)
        value = backward(h)
    assert r.trace.layers[0].source is not None
    assert r.trace.loss == pytest.approx(value, rel=EXACT)


def test_a_backward_pass_that_nobody_heard_of_leaves_the_loss_unknown() -> None:
    unheard = torch.autograd.backward
    module, x = rnn(), noise(5, 2, 3, seed=2)
    with lstmtui.recording() as r:
        backward(module(x)[0])
        with ThreadPoolExecutor(1) as pool:  # where no mode of ours is
            pool.submit(unheard, module(x)[0].sum()).result()
    assert r.trace.parameter_gradients
    assert "loss unknown" in str(r.trace)


def test_a_block_within_another_hears_of_the_backward_passes_that_come_to_it() -> None:
    module, x = rnn(), noise(5, 2, 3, seed=2)
    with lstmtui.recording() as outer:
        first = backward(module(x)[0])
        with lstmtui.recording() as inner:
            second = backward(2 * module(x)[0])
    assert inner.trace.loss == pytest.approx(second, rel=EXACT)
    assert outer.trace.loss == pytest.approx(first + second, rel=EXACT)


def test_each_step_of_a_watched_loop_has_its_own_loss(tmp_path: Path) -> None:
    module, values = rnn(), []
    with lstmtui.watch(module, "t == 0 and norm(dh) > 0", keep=3, path=tmp_path / "w"):
        for seed in range(3):
            values.append(backward(module(noise(5, 2, 3, seed=seed))[0]))
    traces = lstmtui.load(tmp_path / "w")
    assert isinstance(traces, Traces | dict)
    for name, trace in traces.items():
        assert isinstance(trace, Trace)
        assert trace.loss == pytest.approx(values[int(name.removeprefix("step "))], rel=EXACT)
