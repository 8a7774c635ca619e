"""Float32 products take the precision of the kernel: parity shows it, the header says it, settings stay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import noise, random_recurrent
from torch import Tensor, nn
from torch.nn import functional

from lstmtui.capture import products
from lstmtui.capture.fused import kernel, method
from lstmtui.capture.products import kernel_precision, matmul_precision, products_in, to_tf32
from lstmtui.capture.record import record

NEAR = 1e-5
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def rounded(values: Any) -> Any:
    """To 11 significant bits, by numpy, ties away from 0."""
    fraction, exponent = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.trunc(fraction * 2048 + np.copysign(0.5, fraction)) / 2048, exponent)


def times(operand: Tensor, weight: Tensor) -> Tensor:
    """A product of operands that were rounded; gradients as if they were not."""
    near = [t + (torch.from_numpy(rounded(t.detach())).float() - t).detach() for t in (operand, weight)]
    return functional.linear(*near)


def rounding_kernel(name: str) -> Callable[..., Any]:
    """A layer as cuDNN runs it in TF32, written from the equations."""

    def run(x: Tensor, hx: Any, weights: list[Tensor], *_: Any) -> Any:
        w, r, b, c_ = weights
        h, c = (hx[0][0], hx[1][0]) if name == "lstm" else (hx[0], None)
        seen = []
        for x_t in x:
            of_x, of_h = times(x_t, w) + b, times(h, r) + c_
            if name == "lstm":
                i, f, g, o = (of_x + of_h).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
            elif name == "gru":
                (r_x, z_x, n_x), (r_h, z_h, n_h) = of_x.chunk(3, -1), of_h.chunk(3, -1)
                n, z = (n_x + (r_x + r_h).sigmoid() * n_h).tanh(), (z_x + z_h).sigmoid()
                h = (1 - z) * n + z * h
            else:
                h = (of_x + of_h).tanh()
            seen.append(h)
        finals = (h, c) if name == "lstm" else (h,)
        return (torch.stack(seen), *(s.unsqueeze(0) for s in finals))

    return run


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_products_round_as_a_kernel_in_tf32_does(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = random_recurrent(cell, 5, 16, dtype=torch.float32)
    x = noise(40, 3, 5, seed=201, dtype=torch.float32)
    monkeypatch.setitem(kernel.KERNELS, cell, rounding_kernel(cell))
    unlike = record(module, x).parity
    assert unlike is not None
    assert unlike > 1e-4  # what float32 products make of an h that TF32 has made
    monkeypatch.setattr(method, "kernel_precision", lambda *_: "TF32")
    monkeypatch.setattr(method, "is_cudnn", lambda _: True)
    trace = record(module, x, loss=lambda result: (result[0] ** 2).sum())
    assert trace.parity is not None
    assert trace.parity <= 1e-6
    assert (trace.header.precision, trace.header.numbers) == ("TF32", "float32 (TF32)")
    assert matmul_precision(CPU) == ""


def test_tf32_is_ten_bits_of_mantissa_rounded_to_the_nearest() -> None:
    one, bit = 1.0, 2.0**-10
    values = torch.tensor([one, one + bit, one + 0.49 * bit, one + 0.5 * bit, one + 0.75 * bit, -1 - bit / 2])
    wanted = torch.tensor([one, one + bit, one, one + bit, one + bit, -1 - bit])
    assert torch.equal(to_tf32(values), wanted)
    many = noise(1000, seed=202, dtype=torch.float32) * 1e3
    assert np.array_equal(to_tf32(many).numpy(), rounded(many))
    turned = noise(4, 6, seed=203, dtype=torch.float32).T  # not contiguous
    assert np.array_equal(to_tf32(turned).numpy(), rounded(turned))


@pytest.fixture
def _medium() -> Any:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("_medium")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_kernel_and_the_equations_agree_where_products_may_be_bfloat16(kind: Any) -> None:
    trace = record(kind(32, 64), noise(20, 8, 32, seed=204, dtype=torch.float32))
    assert trace.parity is not None
    assert trace.parity <= NEAR
    # oneDNN has a kernel for the LSTM alone, which rounds nothing.
    assert trace.header.precision == ("" if kind is nn.LSTM else matmul_precision(CPU))
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.fixture(params=["new", "old"])
def a_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A card with TF32, under a torch that has `fp32_precision` or one that has `allow_tf32` alone."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    if request.param == "old":
        monkeypatch.setattr(products, "_setting", lambda _: None)
        monkeypatch.setattr(torch.backends.cudnn, "rnn", SimpleNamespace(), raising=False)
    elif not hasattr(torch.backends.cudnn, "rnn"):
        pytest.skip("this torch has allow_tf32 alone")
    return str(request.param)


def weight(dtype: torch.dtype = torch.float32, device: torch.device = CUDA) -> Any:
    return SimpleNamespace(dtype=dtype, device=device)


def test_cudnn_computes_in_tf32_unless_it_is_told_otherwise(
    a_gpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert torch.backends.cudnn.allow_tf32
    assert kernel_precision(weight()) == "TF32"
    assert kernel_precision(weight(torch.float64)) == ""
    assert matmul_precision(CUDA) == ""
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
        assert kernel_precision(weight()) == ""
    try:
        torch.backends.cudnn.allow_tf32 = False
        assert kernel_precision(weight()) == ""
    finally:
        torch.backends.cudnn.allow_tf32 = True
    with torch.backends.cudnn.flags(enabled=False):
        assert kernel_precision(weight()) == ""  # PyTorch's own loop, which multiplies as everything does


@pytest.mark.parametrize("before", ["highest", "high", "medium"])
def test_settings_are_put_back(a_gpu: str, before: str) -> None:
    torch.set_float32_matmul_precision(before)
    try:
        said = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
        for wanted in ("", "TF32"):
            with suppress(KeyError), products_in(wanted, CUDA):  # type: ignore[arg-type]
                assert matmul_precision(CUDA) == wanted
                raise KeyError
            assert torch.get_float32_matmul_precision() == before
            assert getattr(torch.backends.cuda.matmul, "fp32_precision", None) == said
    finally:
        torch.set_float32_matmul_precision("highest")


def test_two_threads_leave_what_was_before_the_first(a_gpu: str) -> None:
    both_in, seen = Barrier(2), []

    def work(number: int) -> None:
        with products_in("TF32", CUDA):
            both_in.wait(10)
            if number:
                first.join(10)
            seen.append(matmul_precision(CUDA))

    first, second = (Thread(target=work, args=(number,)) for number in range(2))
    first.start(), second.start()
    second.join(10)
    assert seen == ["TF32", "TF32"]
    assert matmul_precision(CUDA) == ""
