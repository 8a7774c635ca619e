"""Files that are given in place of a scenario: weights, which lack an input, and models of other makers."""

from __future__ import annotations

from pathlib import Path

from lstmtui.printable import printable

_WEIGHTS = dict.fromkeys((".pt", ".pth", ".ckpt", ".bin", ".safetensors"), "checkpoint") | {".onnx": "onnx"}
"""The key of [[model]] that reads a file, by its suffix."""
_KERAS = (".h5", ".hdf5", ".keras")


def why_no_scenario(path: Path) -> str:
    """What to do with a file that is none, in sentences; empty where its name says nothing of the kind."""
    kind = path.suffix.lower()
    if kind in _KERAS:
        return (
            "it is a model of Keras, which is not read; export it as ONNX (tf2onnx) and name that file in a "
            'scenario: onnx = "model.onnx"'
        )
    if kind not in _WEIGHTS:
        return ""
    name = printable(path.name)
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    lines = f"`input.values = [[0.1], [0.2]]` and `model = [{{ {_WEIGHTS[kind]} = {quoted} }}]`"
    return (
        f"it has weights and no input to run them on; a scenario.toml has both, with the lines {lines}; "
        f"`lstmtui check {name}` says what is in the file"
    )
