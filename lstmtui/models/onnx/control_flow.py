"""If, Loop and Scan as ONNX defines them, with a function that runs the bodies they hold. No torch.

https://onnx.ai/onnx/operators/onnx__If.html, onnx__Loop.html, onnx__Scan.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.bodies import Body
from lstmtui.models.onnx.constants import attributes

RunBody: TypeAlias = Callable[[Body, Mapping[str, Any]], Mapping[str, Any]]
"""(body, its inputs by its own names) -> its outputs."""


Stack: TypeAlias = Callable[[Sequence[Any], int, Any], Any]
"""(what the rounds gave, the new axis, what is declared of the result) -> all of it."""
Take: TypeAlias = Callable[[Any, int, int], Any]
"""(an array, an axis, an index) -> the slice there."""


def branch(values: Sequence[Any], held: Mapping[str, Body], run: RunBody) -> list[Any]:
    """What an If gives: the outputs of one of its two branches."""
    chosen = "then_branch" if _flag(values[0], "the condition of an If") else "else_branch"
    return list(run(held[chosen], {}).values())


def loop(values: Sequence[Any], body: Body, run: RunBody, stack: Stack) -> list[Any]:
    """What a Loop gives: what it carries on, as it is in the end, and what each round gives, stacked.

    Args:
        values: the most rounds, whether it begins at all, and what is carried on; None where left out.
        body: takes the number of the round, whether to go on, and what is carried on.
        run: runs it.
        stack: as `stacked`.
    """
    most = None if values[0] is None else int(np.asarray(values[0]).reshape(-1)[0])
    going = values[1] is None or _flag(values[1], "the condition of a Loop")
    carried = list(values[2:])
    gathered: list[list[Any]] = [[] for _ in body.outputs[1 + len(carried) :]]
    number = 0
    while going and (most is None or number < most):
        inputs = [np.asarray(number, np.int64), np.asarray(True), *carried]
        go_on, *results = run(body, dict(zip(body.inputs, inputs, strict=False))).values()
        going = _flag(go_on, "the condition of a Loop")
        carried = results[: len(carried)]
        for parts, part in zip(gathered, results[len(carried) :], strict=True):
            parts.append(part)
        number += 1
    declared = body.outputs[1 + len(carried) :]
    return carried + [stack(parts, 0, value) for parts, value in zip(gathered, declared, strict=True)]


def scan(node: Any, values: Sequence[Any], body: Body, run: RunBody, stack: Stack, take: Take) -> list[Any]:
    """What a Scan gives: its states as they are in the end, and what each round gives, stacked.

    Args:
        node: whose attributes say along which axes, and which way round, it goes.
        values: the states, then what is gone through.
        body: takes the states and one slice of each of the others.
        run: runs it.
        stack: as `stacked`.
        take: as `taken`.

    Raises:
        UserError: it goes through sequences of different lengths, or is of opset 8, which has other axes.
    """
    settings = attributes(node)
    count = int(settings["num_scan_inputs"])
    if not 0 < count <= len(values):
        raise ValueError(f"{count} of {len(values)} inputs are gone through")
    if "directions" in settings or any(v is None for v in values):
        raise UserError("a Scan of opset 8 is not followed; onnx.version_converter brings it up to date")
    states, gone_through = list(values[: len(values) - count]), [np.asarray(v) for v in values[-count:]]
    axes = settings.get("scan_input_axes", [0] * count)
    reverse = settings.get("scan_input_directions", [0] * count)
    lengths = {a.shape[axis] for a, axis in zip(gone_through, axes, strict=True)}
    if len(lengths) != 1:
        raise UserError("a Scan goes through sequences of different lengths")
    (length,) = lengths
    declared = body.outputs[len(states) :]
    gathered: list[list[Any]] = [[] for _ in declared]
    for n in range(length):
        ways = zip(values[-count:], axes, reverse, strict=True)
        inputs = [*states, *(take(a, axis, length - 1 - n if back else n) for a, axis, back in ways)]
        results = list(run(body, dict(zip(body.inputs, inputs, strict=True))).values())
        states = results[: len(states)]
        for parts, part in zip(gathered, results[len(states) :], strict=True):
            parts.append(part)
    out_axes = settings.get("scan_output_axes", [0] * len(declared))
    backwards = settings.get("scan_output_directions", [0] * len(declared))
    return states + [
        stack(parts[:: -1 if turned else 1], axis, value)
        for parts, axis, turned, value in zip(gathered, out_axes, backwards, declared, strict=True)
    ]


def _flag(value: Any, what: str) -> bool:
    array = np.asarray(value)
    if array.size != 1:
        raise UserError(f"{what} has the shape {array.shape}, and is to be one value")
    return bool(array.reshape(-1)[0])


def taken(array: Any, axis: int, index: int) -> Any:
    """The slice of an array at an index of an axis, without that axis."""
    return np.array(np.take(array, index, axis))


def stacked(parts: Sequence[Any], axis: int, declared: Any) -> Any:
    """What the rounds gave, along a new axis; of no round, an array of the declared kind without numbers."""
    if parts:
        if len({np.shape(part) for part in parts}) > 1:
            raise UserError("the rounds of a loop give arrays of different shapes, which cannot be stacked")
        return np.stack(parts, axis)
    from onnx import helper

    own = declared.type.tensor_type
    sizes = [dimension.dim_value for dimension in own.shape.dim]
    return np.zeros((0, *sizes), helper.tensor_dtype_to_np_dtype(own.elem_type or 1))
