"""What all kinds of [[model]] tables have in common when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.printable import printable
from lstmtui.scenario.lines import Location
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input

if TYPE_CHECKING:
    from lstmtui.models.onnx.layer import OnnxFile

COMMON = ("name", "cell", "hidden_size", "num_layers", "bidirectional", "proj_size", "bias", "initial")
KEYS: dict[str, tuple[str, ...]] = {
    "": (*COMMON, "sizes", "head", "embedding", "weights", "seed", "parameters"),
    "checkpoint": (*COMMON, "checkpoint", "module", "head", "embedding"),
    "onnx": (*COMMON, "onnx", "module", "inputs", "state", "output", "session", "batch_first"),
    "factory": ("name", "factory", "arguments", "weights", "checkpoint", "batch_first", "source"),
}
"""The keys of a [[model]] by the one among them that says where it comes from; empty: from its own sizes."""


@dataclass
class Context:
    """What every model of a scenario shares while it is read."""

    source: Input | None
    """The input; None where it has problems, and what follows from it is not checked."""
    folder: Path
    """What file names are relative to."""
    report: Report
    trust: bool = False
    """Whether models may be built by the user's own Python code."""
    fresh: bool = False
    """Whether models whose weights lie in a file begin anew, from a seed; the file need not be there."""
    names: dict[str, int] = field(default_factory=dict)
    """The models' names so far, with their positions."""
    onnx_files: dict[Path, OnnxFile] = field(default_factory=dict)
    """The ONNX models that have been read, which several [[model]] may name."""


class ModelReader:
    """Reads one [[model]] table."""

    def __init__(self, position: int, context: Context) -> None:
        self.place: Location = ("model", position)
        self.source = context.source
        self.folder = context.folder
        self.report = context.report
        self.fresh = context.fresh
        self.position = position
        self._names = context.names
        self._onnx_files = context.onnx_files

    def unique_name(self, name: str | None, default: str, key: str) -> str:
        """The model's name, which no other has.

        Args:
            name: what the table says.
            default: where it says nothing.
            key: what the default comes from.
        """
        unique = printable((name or default).strip())
        if name is not None and not unique:
            self.report.add((*self.place, "name"), "is blank")
        elif unique in self._names:
            wrong = f"model {self._names[unique]} is named {shown(unique)} already"
            self.report.add(
                (*self.place, "name" if name else key), wrong, "give each model a name of its own"
            )
        self._names.setdefault(unique, int(self.place[1]))
        return unique


def origin_of(raw: Mapping[str, Any], position: int, report: Report) -> str:
    """The key of :data:`KEYS` that a model comes from; keys that do not go with it are reported."""
    origins = [key for key in ("factory", "onnx", "checkpoint") if key in raw]
    origin = origins[0] if origins else ""
    own = KEYS[origin]
    for key in raw:
        owners = [name for name, keys in KEYS.items() if key in keys]
        if not owners or key in own:
            continue
        if key in origins:
            report.add(("model", position, key), f"there is {origin} already", "one of checkpoint and onnx")
        elif origin:
            report.add(("model", position, key), f"does not go with {origin}", one_of(own))
        else:
            report.add(("model", position, key), f"goes with {' or '.join(owners)}, which is not given")
    return origin
