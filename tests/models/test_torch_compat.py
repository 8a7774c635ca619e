"""What is used of PyTorch's insides is there and does what it is for; else the torch without it is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lstmtui
from lstmtui.models import torch_compat as compat

PACKAGE = Path(lstmtui.__file__).parent
PRIVATE = re.compile(
    r"torch\._(?!dynamo)|torch\.ops\b|\b_VF\b|sys\.modules\b|(?<!self)\._("
    r"version|flat_weights|update_flat_weights|input_metadata|modules|buffers|parameters|saved_\w+"
    r"|(forward|backward|post_accumulate)\w*hooks)\b"
)


@contextmanager
def named() -> Iterator[None]:
    """An insider that is gone is told with the version of torch that has it no more."""
    try:
        yield
    except AttributeError as error:
        pytest.fail(f"torch {torch.__version__} took it away: {error}")


def leaf() -> Tensor:
    return torch.ones(2, 3, requires_grad=True)


def versions() -> None:
    tensor = torch.zeros(2)
    before = compat.version_of(tensor)
    tensor.add_(1)
    assert compat.version_of(tensor) > before
    assert compat.written({"a": (tensor, before), "b": (tensor, before + 1)}) == ["a"]
    with torch.inference_mode():
        assert compat.version_of(made := torch.zeros(2)) == 0
    assert compat.written({"a": (tensor, before), "b": (made, 0)}) == ["a"]


def weights() -> None:
    module = nn.LSTM(2, 3)
    assert {name: id(p) for name, p in module.named_parameters()} == {
        name: id(p) for name, p in compat.flat_weights(module).items()
    }


def buffers() -> None:
    module = nn.BatchNorm1d(2)
    compat.own_buffers(module)["running_mean"] = put = torch.ones(2)
    assert module.running_mean is put


def hooks_of_leaves() -> None:
    tensor = leaf()
    assert not compat.post_accumulate_hooks(tensor)
    tensor.register_post_accumulate_grad_hook(lambda _: None)
    assert len(compat.post_accumulate_hooks(tensor) or ()) == 1


def derivatives() -> None:
    tensor = leaf()
    middle = tensor * 2
    edge = torch.autograd.graph.get_gradient_edge(middle)
    own = compat.gradients((middle * 3).sum(), [tensor, edge, leaf()])
    assert [None if g is None else float(g[0, 0]) for g in own] == [6, 3, None]


def copies() -> None:
    tensor = leaf() * 2
    with compat.below_autograd():
        copy = tensor.clone()
    assert not copy.requires_grad
    assert torch.equal(copy, tensor)


def nodes() -> None:
    tensor = leaf()
    assert compat.saved(tensor.select(1, 2).grad_fn, "dim") == 1
    assert compat.saved(tensor.select(1, 2).grad_fn, "index") == 2
    assert compat.saved(torch.cat([tensor, tensor], 1).grad_fn, "dim") == 1
    assert compat.saved(tensor.transpose(0, 1).grad_fn, "dim1") == 1
    assert compat.saved(tensor.permute(1, 0).grad_fn, "dims") == (1, 0)
    assert compat.saved(tensor[:, 1:2].grad_fn, "start") == compat.saved(tensor[:, 1:2].grad_fn, "step") == 1
    assert compat.saved(tensor.split(2, 1)[0].grad_fn, "split_size") == 2
    assert compat.saved(tensor.index_select(1, torch.tensor([2])).grad_fn, "index").tolist() == [2]
    assert compat.result_shape((tensor * 2).grad_fn, 0) == (2, 3)


def backward() -> None:
    seen: list[Any] = []
    result = leaf() * 2
    result.register_hook(lambda _: seen.extend([compat.is_in_backward(), compat.current_node()]))
    assert not compat.is_in_backward()
    result.sum().backward()
    assert seen[0] is True
    assert seen[1] is not None


def modes() -> None:
    seen: list[bool] = []

    class Watching(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            seen.append(compat.has_forward_mode())
            return x.clone()

    Watching.apply(leaf())
    with torch.no_grad():
        seen.append(compat.has_forward_mode())
    assert seen == [False, True]
    assert not compat.is_traced()
    assert torch.func.vmap(lambda x: x * compat.is_traced())(torch.ones(2)).all()


def saving() -> None:
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        assert compat.has_saved_tensors_hooks() is not False
    assert not compat.has_saved_tensors_hooks()


def checkpoints() -> None:
    for is_reentrant in (False, True):
        calls: list[bool] = []

        def inside(x: Tensor, calls: list[bool] = calls) -> Tensor:
            calls.append(torch.is_grad_enabled())
            return (x * 3).tanh()

        with compat.without_checkpoints():
            result = checkpoint(inside, tensor := leaf(), use_reentrant=is_reentrant)
        result.sum().backward()
        assert (calls, result.grad_fn.name()) == ([True], "TanhBackward0")
        assert tensor.grad is not None
        checkpoint(inside, leaf(), use_reentrant=is_reentrant).sum().backward()
        assert len(calls) == 3, "it is as it was"
    with compat.without_checkpoints():
        assert not checkpoint(lambda x: x * leaf(), torch.ones(2, 3), use_reentrant=True).requires_grad


def operations() -> None:
    a, gradient = torch.randn(5, dtype=torch.float64, requires_grad=True), torch.randn(5, dtype=torch.float64)
    for function, derivative in (
        (torch.sigmoid, compat.sigmoid_backward()),
        (torch.tanh, compat.tanh_backward()),
    ):
        value = function(a)
        (expected,) = torch.autograd.grad(value, a, gradient)
        torch.testing.assert_close(derivative(gradient, value.detach()), expected)
    assert isinstance(compat.has_bfloat16_products(), bool)


@pytest.mark.parametrize(
    "use",
    [
        versions,
        weights,
        buffers,
        hooks_of_leaves,
        derivatives,
        copies,
        nodes,
        backward,
        modes,
        saving,
        checkpoints,
        operations,
    ],
    ids=lambda use: use.__name__,
)
def test_it_is_there_and_does_what_it_is_used_for(use: Callable[[], None]) -> None:
    with named():
        use()


def test_what_is_compiled_is_recognised() -> None:
    code = """
import torch
from torch import nn
from lstmtui.models import torch_compat as compat
module = nn.Linear(2, 2)
assert compat.compiled_module(module) is None and not compat.has_compiled()
compiled = torch.compile(module, backend="eager")
assert compat.is_compiler_loaded() and compat.compiled_module(compiled) is module
compiled(torch.ones(1, 2))
assert compat.has_compiled()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"torch {torch.__version__}: {done.stderr}"


def test_nothing_else_reaches_into_torch() -> None:
    for path in (*PACKAGE.glob("models/**/*.py"), *PACKAGE.glob("capture/**/*.py")):
        # Others import users' modules, or Python's, or name what a file would call.
        if path.name not in (
            "torch_compat.py",
            "factory.py",
            "limited_process.py",
            "stand_ins.py",
            "tensor_pickle.py",
        ):
            for line in path.read_text(encoding="utf-8").splitlines():
                assert not PRIVATE.search(line.partition("#")[0]), f"{path.name}: {line}"
