"""The precision of float32 matrix products: that of the kernels, which our own products imitate.

PyTorch says both in `torch.backends`, since 2.9 by `fp32_precision`, before that by `allow_tf32` and
`torch.get_float32_matmul_precision`. In TF32 the operands of a product are rounded to 10 bits of mantissa,
and the sum is float32; cuDNN computes so unless it is told otherwise, cuBLAS only where it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal

import torch
from torch import Tensor

from lstmtui.models.torch_compat import has_bfloat16_products

Precision = Literal["", "TF32", "BF16"]
"""What the operands of a float32 product are rounded to; empty: they are taken as they are."""

_WORDS: dict[Precision, tuple[str, str]] = {
    "": ("ieee", "highest"),
    "TF32": ("tf32", "high"),
    "BF16": ("bf16", "medium"),
}
"""As `fp32_precision` and as `torch.set_float32_matmul_precision` say it."""


def kernel_precision(weight: Tensor, onednn: bool = False) -> Precision:
    """The precision of the products inside the kernel that runs a layer.

    Args:
        weight: of the layer.
        onednn: whether oneDNN runs it, which takes operands as they are; a kernel that is a loop of
            operations is as precise as any product.
    """
    if onednn or not is_cudnn(weight.device):
        return "" if onednn else precision_of(weight)
    if weight.dtype != torch.float32:
        return ""
    return _cudnn_precision(weight.device)


def precision_of(tensor: Tensor) -> Precision:
    """The precision in which PyTorch multiplies matrices like this one."""
    return matmul_precision(tensor.device) if tensor.dtype == torch.float32 else ""


def matmul_precision(device: torch.device) -> Precision:
    """The precision in which PyTorch multiplies float32 matrices on a device."""
    setting = _read(device.type)
    if device.type == "cuda":
        return "TF32" if setting in ("tf32", "high", "medium") and _has_tf32(device) else ""
    return "BF16" if device.type == "cpu" and setting in ("bf16", "medium") and _has_bfloat16() else ""


def is_cudnn(device: torch.device) -> bool:
    """Whether cuDNN runs recurrent layers on a device."""
    library = torch.backends.cudnn
    return device.type == "cuda" and bool(library.is_available() and library.enabled)  # type: ignore[no-untyped-call]


def operands_of(precision: Precision) -> Callable[[Tensor], Tensor]:
    """What rounds the operands of products as a kernel does; what multiplies them is then all the same."""
    kept: dict[int, tuple[Tensor, Tensor]] = {}

    def operand(tensor: Tensor) -> Tensor:
        if id(tensor) not in kept:
            kept[id(tensor)] = tensor, to_tf32(tensor)
        return kept[id(tensor)][1]

    return operand if precision == "TF32" else lambda tensor: tensor


def to_tf32(tensor: Tensor) -> Tensor:
    """A float32 tensor rounded to the nearest TF32, ties away from 0, as `cvt.rna.tf32.f32` of PTX does."""
    bits = tensor.contiguous().view(torch.int32)
    return (bits + 0x1000).bitwise_and_(-0x2000).view(torch.float32)


@contextmanager
def products_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within this context PyTorch multiplies float32 matrices on a device in a precision.

    The setting is the process's: other threads multiply in it meanwhile. The last of several to leave puts
    back what was there before the first.
    """
    kind = device.type
    with _lock:
        changes = kind in _entered or (kind in ("cpu", "cuda") and matmul_precision(device) != precision)
        if changes:
            _enter(kind, precision)
    try:
        yield
    finally:
        if changes:
            _leave(kind)


@contextmanager
def kernels_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within this context cuDNN runs layers in a precision; other kernels are not changed."""
    with _lock:
        changes = is_cudnn(device) and ("cudnn" in _entered or _cudnn_precision(device) != precision)
        if changes:
            _enter("cudnn", precision)
    try:
        yield
    finally:
        if changes:
            _leave("cudnn")


_lock = Lock()
_entered: dict[str, tuple[int, str]] = {}
"""By kind of setting: how many contexts are entered, and what was set before the first of them."""


def _enter(kind: str, precision: Precision) -> None:
    depth, before = _entered.get(kind, (0, _read(kind)))
    _entered[kind] = depth + 1, before
    new, old = _WORDS[precision]
    setting = _setting(kind)
    if setting is not None:
        setting.fp32_precision = new
    else:
        _write_old(kind, old)


def _leave(kind: str) -> None:
    with _lock:
        depth, before = _entered.pop(kind)
        setting = _setting(kind)
        if depth > 1:
            _entered[kind] = depth - 1, before
        elif setting is None:
            _write_old(kind, before)
        else:
            # "none" reads as what stands above it, and goes on following that.
            setting.fp32_precision = "none"
            if setting.fp32_precision != before:
                setting.fp32_precision = before


def _setting(kind: str) -> Any:
    """What has the `fp32_precision` of cuDNN's layers, or of products on a device; None before torch 2.9."""
    library, name = {
        "cudnn": (torch.backends.cudnn, "rnn"),
        "cuda": (torch.backends.cuda, "matmul"),
    }.get(kind, (torch.backends.mkldnn, "matmul"))
    setting = getattr(library, name, None)
    return setting if hasattr(setting, "fp32_precision") else None


def _read(kind: str) -> str:
    setting = _setting(kind)
    if setting is not None:
        return str(setting.fp32_precision)
    if kind == "cudnn":
        return "high" if torch.backends.cudnn.allow_tf32 else "highest"
    return torch.get_float32_matmul_precision()


def _write_old(kind: str, word: str) -> None:
    if kind == "cudnn":
        torch.backends.cudnn.allow_tf32 = word != "highest"
    else:
        torch.set_float32_matmul_precision(word)


def _cudnn_precision(device: torch.device) -> Precision:
    return "TF32" if _read("cudnn") in ("tf32", "high") and _has_tf32(device) else ""


def _has_tf32(device: torch.device) -> bool:
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


def _has_bfloat16() -> bool:
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(has_onednn and has_bfloat16_products())
