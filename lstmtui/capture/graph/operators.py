"""Operators of ONNX as functions of torch, through which a gradient goes.

Each is called with an `Operation` and its inputs, and gives its outputs; https://onnx.ai/onnx/operators/.
One that is used in a way that is not run here raises NotImplementedError, which says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.models.onnx.tape import Operation

Inputs: TypeAlias = Sequence[Tensor | None]
Run: TypeAlias = Callable[[Operation, Any], Any]
"""(operation, inputs) -> a tensor, or several."""


def _each(function: Callable[..., Tensor]) -> Run:
    """An operator without attributes."""
    return lambda operation, inputs: function(*inputs)


def _ints(operation: Operation, inputs: Inputs, key: str, place: int) -> list[int] | None:
    """What was an attribute in older opsets, and is an input in later ones."""
    value = operation.attributes.get(key)
    if value is None and len(inputs) > place and (tensor := inputs[place]) is not None:
        value = tensor.reshape(-1).tolist()
    return (
        None if value is None else [int(n) for n in (value if isinstance(value, (list, tuple)) else [value])]
    )


def _gemm(operation: Operation, inputs: Any) -> Any:
    a, b, c = (*inputs, None)[:3]
    own = operation.attributes
    product = (a.T if own.get("transA") else a) @ (b.T if own.get("transB") else b) * own.get("alpha", 1.0)
    return product if c is None else product + own.get("beta", 1.0) * c


def _softmax(function: Callable[..., Tensor]) -> Run:
    def run(operation: Operation, inputs: Any) -> Any:
        axis = operation.attributes.get("axis", -1 if operation.opset >= 13 else 1)
        if operation.opset >= 13:
            return function(inputs[0], axis)
        flat = inputs[0].reshape(math.prod(inputs[0].shape[: axis % inputs[0].ndim]), -1)
        return function(flat, 1).reshape(inputs[0].shape)

    return run


def _reshape(operation: Operation, inputs: Any) -> Any:
    sizes = inputs[1].tolist()
    if not operation.attributes.get("allowzero"):
        sizes = [inputs[0].shape[n] if size == 0 else size for n, size in enumerate(sizes)]
    return inputs[0].reshape(sizes)


def _flatten(operation: Operation, inputs: Any) -> Any:
    axis, shape = operation.attributes.get("axis", 1), inputs[0].shape
    return inputs[0].reshape(math.prod(shape[: axis if axis >= 0 else axis + len(shape)]), -1)


def _transpose(operation: Operation, inputs: Any) -> Any:
    return inputs[0].permute(operation.attributes.get("perm") or list(range(inputs[0].ndim))[::-1])


def _squeeze(operation: Operation, inputs: Any) -> Any:
    axes = _ints(operation, inputs, "axes", 1)
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze(tuple(axes))


def _unsqueeze(operation: Operation, inputs: Any) -> Any:
    axes, x = _ints(operation, inputs, "axes", 1) or [], inputs[0]
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(operation: Operation, inputs: Any) -> Any:
    x = inputs[0]
    starts, ends, axes, steps = (
        _ints(operation, inputs, key, n) for n, key in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    for n, (start, end) in enumerate(zip(starts or [], ends or [], strict=True)):
        axis, step = axes[n] if axes else n, steps[n] if steps else 1
        places = range(x.shape[axis])[slice(start, end, step)]  # ONNX clamps as Python does.
        x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))
    return x


def _gather(operation: Operation, inputs: Any) -> Any:
    x, places = inputs[0], inputs[1].to(torch.int64)
    axis = operation.attributes.get("axis", 0) % x.ndim
    places = places % max(1, x.shape[axis])  # Negative ones count from the end.
    picked = x.index_select(axis, places.reshape(-1))
    return picked.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _split(operation: Operation, inputs: Any) -> Any:
    axis = operation.attributes.get("axis", 0)
    sizes, count = _ints(operation, inputs, "split", 1), len(operation.outputs)
    return inputs[0].split(sizes or -(-inputs[0].shape[axis] // count), axis)


def _reduced(function: Callable[..., Tensor]) -> Run:
    def run(operation: Operation, inputs: Any) -> Any:
        axes = _ints(operation, inputs, "axes", 1)
        if not axes and operation.attributes.get("noop_with_empty_axes"):
            return inputs[0]
        every = tuple(axes or range(inputs[0].ndim))
        return function(inputs[0], every, bool(operation.attributes.get("keepdims", 1)))

    return run


def _layer_norm(operation: Operation, inputs: Any) -> Any:
    x, scale, bias = (*inputs, None)[:3]
    shape = x.shape[operation.attributes.get("axis", -1) % x.ndim :]
    return functional.layer_norm(
        x, shape, scale.expand(shape), bias, operation.attributes.get("epsilon", 1e-5)
    )


def _conv(operation: Operation, inputs: Any) -> Any:
    x, weight, bias = (*inputs, None)[:3]
    own, axes = operation.attributes, inputs[0].ndim - 2
    pads = own.get("pads") or (0,) * 2 * axes
    if own.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or axes not in (1, 2):
        raise NotImplementedError("its padding depends on the input, or it has three axes or more")
    ends = [pad for axis in reversed(range(axes)) for pad in (pads[axis], pads[axis + axes])]
    run = functional.conv1d if axes == 1 else functional.conv2d
    strides, dilations = own.get("strides") or 1, own.get("dilations") or 1
    return run(functional.pad(x, ends), weight, bias, strides, 0, dilations, own.get("group", 1))


def _clip(operation: Operation, inputs: Any) -> Any:
    low, high = ((*inputs, None, None)[n] for n in (1, 2))
    low, high = (operation.attributes.get(k, v) for k, v in (("min", low), ("max", high)))
    return inputs[0] if low is None and high is None else inputs[0].clamp(low, high)


def _dropout(operation: Operation, inputs: Any) -> Any:
    if len(inputs) > 2 and inputs[2] is not None and inputs[2].item():
        raise NotImplementedError("it is in training mode and drops random values")
    return inputs[0]


_CASTS = {1: torch.float32, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16}
"""The kinds of `onnx.TensorProto` that have a gradient."""


def _cast(operation: Operation, inputs: Any) -> Any:
    if operation.attributes["to"] not in _CASTS:
        raise NotImplementedError("its result has no gradient")
    return inputs[0].to(_CASTS[operation.attributes["to"]])


OPERATORS: dict[str, Run] = {
    "Identity": _each(lambda x: x),
    "Dropout": _dropout,
    "Cast": _cast,
    "Add": _each(torch.add),
    "Sub": _each(torch.sub),
    "Mul": _each(torch.mul),
    "Div": _each(torch.div),
    "Pow": _each(torch.pow),
    "Sum": _each(lambda *parts: sum(parts)),
    "Neg": _each(torch.neg),
    "Abs": _each(torch.abs),
    "Exp": _each(torch.exp),
    "Log": _each(torch.log),
    "Sqrt": _each(torch.sqrt),
    "Reciprocal": _each(torch.reciprocal),
    "Sigmoid": _each(torch.sigmoid),
    "Tanh": _each(torch.tanh),
    "Relu": _each(torch.relu),
    "Softplus": _each(functional.softplus),
    "LeakyRelu": lambda o, inputs: functional.leaky_relu(inputs[0], o.attributes.get("alpha", 0.01)),
    "Elu": lambda o, inputs: functional.elu(inputs[0], o.attributes.get("alpha", 1.0)),
    "Gelu": lambda o, inputs: functional.gelu(inputs[0], approximate=o.attributes.get("approximate", "none")),
    "Erf": _each(torch.erf),
    "Clip": _clip,
    "MatMul": _each(torch.matmul),
    "Gemm": _gemm,
    "Conv": _conv,
    "LayerNormalization": _layer_norm,
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "ConcatFromSequence": lambda o, inputs: (torch.stack if o.attributes.get("new_axis") else torch.cat)(
        list(inputs), o.attributes["axis"]
    ),
    "Concat": lambda o, inputs: torch.cat(list(inputs), o.attributes["axis"]),
    "Expand": _each(lambda x, shape: x * torch.ones(shape.tolist(), dtype=x.dtype, device=x.device)),
    "Where": _each(torch.where),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMin": _reduced(torch.amin),
}  # fmt: skip
