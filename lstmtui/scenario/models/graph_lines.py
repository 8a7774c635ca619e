"""The lines that a scenario needs to run a whole ONNX graph, for users who have none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.models.onnx.graph import GraphValue
    from lstmtui.models.onnx.layer import OnnxFile

_WRITTEN_OUT = 4
"""Inputs of more channels are too long for a line, and named as a file."""


def lines_for_graph(file: OnnxFile, name: str) -> str:
    """The [input] and the [[model]] of a graph, in words with the lines of TOML.

    Args:
        file: what the ONNX model holds.
        name: of the file, as a string of TOML.
    """
    free = [value for value in file.inputs if value.name not in file.state_inputs]
    fed = next((value for value in free if value.kind.startswith("float")), free[0] if free else None)
    keys = [f"onnx = {name}"]
    if others := [value for value in free if value is not fed]:
        keys.append(f"inputs = {{ {', '.join(f'{printable(v.name)} = {_example(v)}' for v in others)} }}")
    following = {state: _next(state, file) for state in file.state_inputs}
    if handed_on := [f'{printable(state)} = "{output}"' for state, output in following.items() if output]:
        keys.append(f"state = {{ {', '.join(handed_on)} }}")
    return f"{_input_for(fed)} and `model = [{{ {', '.join(keys)} }}]`"


def _input_for(fed: GraphValue | None) -> str:
    shape = () if fed is None or fed.shape is None else fed.shape
    if fed is not None and not fed.kind.startswith("float"):
        return "`input.tokens = [1, 2, 3]`"
    if len(shape) < 3:
        chunk = f" and `input.chunk = {shape[-1]}`" if shape and isinstance(shape[-1], int) else ""
        return f'`input.file = "sound.wav"`{chunk}'
    size = shape[-1] if isinstance(shape[-1], int) else 1
    if size > _WRITTEN_OUT:
        return f'`input.file = "x.npy"` (x.npy: an array of shape (T, {size}))'
    return f"`input.values = {[[0.1] * size, [0.2] * size]}`"


def _example(value: GraphValue) -> str:
    return "true" if value.kind == "bool" else "0"


def _next(state: str, file: OnnxFile) -> str:
    """The output that a state probably is in the next call, "stateN" of "state"; empty where none is."""
    named = [value.name for value in file.outputs if value.name.startswith(state)]
    return printable(named[0]) if len(named) == 1 else ""
