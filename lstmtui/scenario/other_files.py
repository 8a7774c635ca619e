"""Files that are given in place of a scenario: weights and data alone, and other makers' models."""

from __future__ import annotations

from pathlib import Path

from lstmtui.printable import printable
from lstmtui.scenario.models.checkpoints import KINDS
from lstmtui.scenario.models.graph_lines import lines_for_graph
from lstmtui.scenario.models.layers_in_file import layers_in_file, read_onnx
from lstmtui.scenario.problem import short
from lstmtui.scenario.report import DataError

_WEIGHTS = dict.fromkeys(KINDS, "checkpoint") | {".onnx": "onnx"}
"""The key of [[model]] that reads a file, by its suffix."""
_OTHER_MAKERS = dict.fromkeys((".pb", ".tflite"), "TensorFlow")
_DATA = (".csv", ".tsv", ".npy", ".npz", ".txt", ".wav")
_WRITTEN_OUT = 4
"""Inputs of more channels are too long for a line, and named as a file."""


def why_no_scenario(path: Path) -> str:
    """What to do with a file that is none, in sentences; empty where it looks like nothing of the kind."""
    kind = path.suffix.lower()
    if maker := _OTHER_MAKERS.get(kind):
        return (
            f"it is a model of {maker}, which is not read; export it as ONNX (tf2onnx) and name that file in "
            'a scenario: onnx = "model.onnx"'
        )
    if kind in _DATA:
        line = f"`input.file = {_quoted(path.name)}`"
        return f"it is data and has no model; a scenario.toml has both, with the line {line} and a [[model]]"
    if kind in _WEIGHTS:
        return _of_weights(path, _WEIGHTS[kind])
    return ""


def _of_weights(path: Path, key: str) -> str:
    """The lines of a scenario that opens the file, or why none does."""
    name = printable(path.name)
    file = None
    try:
        file = read_onnx(path) if key == "onnx" else None
        layers = layers_in_file(path) if file is None else file.layers
    except DataError as error:
        wrong = error.wrong_of(path)
        return f"{wrong}; {error.allowed}" if error.allowed else wrong
    sound = [layer for layer in layers if layer.layout is not None]
    if not sound or sound[0].layout is None:
        why = f"; {layers[0]}" if layers else "" if file is None else f"; {file.why_none}"
        return f"it has weights and no recurrent layer that can be opened{why}"
    if file is not None and file.is_more_than_a_layer:
        return _with_lines(lines_for_graph(file, _quoted(path.name)), name)
    first, size = sound[0], sound[0].layout.input_size
    module = f", module = {_quoted(first.path)}" if len(sound) > 1 else ""
    written, remark = f"values = [{[0.1] * size}, {[0.2] * size}]", ""
    if size > _WRITTEN_OUT:
        written, remark = 'file = "x.npy"', f" (x.npy: an array of shape (T, {size}))"
    lines = f"`input.{written}`{remark} and `model = [{{ {key} = {_quoted(path.name)}{module} }}]`"
    return _with_lines(lines, name)


def _with_lines(lines: str, name: str) -> str:
    return (
        f"it has weights and no input to run them on; a scenario.toml has both, with the lines {lines}; "
        f"`lstmtui check {short(name)}` says what is in the file"
    )


def _quoted(text: str) -> str:
    """A string of TOML."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
