"""A model's parameters, from .safetensors or from the scenario itself, checked against its sizes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lstmtui.cells import CELLS, Cell
from lstmtui.closest import closest
from lstmtui.scenario.lines import Location
from lstmtui.scenario.numbers.nested_lists import to_array
from lstmtui.scenario.numbers.tensors import FLOATS, TensorFile
from lstmtui.scenario.problem import one_of, short, shown
from lstmtui.scenario.report import DataError, Report
from lstmtui.wording import counted, first_of

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.cells.layout import Layout

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
MOST = 5
"""How many missing or unexpected parameters are named."""


def expected_shapes(
    layout: Layout, vocabulary: int, embedding: int | None, head: int | None
) -> dict[str, tuple[int, ...]]:
    """Every parameter of a scenario's model by name: PyTorch's, embedding.weight, head.weight, head.bias."""
    shapes = dict(layout.shapes())
    if embedding:
        shapes = {"embedding.weight": (vocabulary, embedding), **shapes}
    if head:
        shapes["head.weight"] = (head, layout.output_size * len(layout.directions))
        shapes["head.bias"] = (head,)
    return shapes


def count(shapes: Shapes) -> int:
    """How many numbers there are in all parameters."""
    return sum(math.prod(shape) for shape in shapes.values())


def read_weights(
    folder: Path, file: str, shapes: Shapes | None, layout: Layout | None, place: Location, report: Report
) -> dict[str, Array] | None:
    """Read weights = "….safetensors"; None where there are problems.

    Args:
        folder: what `file` is relative to.
        file: the file's name.
        shapes: what the model needs; None where that is not known, and only the file itself is checked.
        layout: the model's sizes.
        place: of the key in the scenario.
        report: gets every problem.
    """
    if not check_weights_name(file, place, report):
        return None
    try:
        stored = TensorFile(folder / file)
        if shapes is None or layout is None:
            return None
        before = len(report)
        stored_shapes = {name: tensor.shape for name, tensor in stored.tensors.items()}
        _compare(stored_shapes, shapes, layout, place, short(Path(file).name), report)
        for name in shapes:
            if name in stored_shapes and stored.tensors[name].dtype not in FLOATS:
                wrong = f"{short(Path(file).name)}: {name} is of dtype {stored.tensors[name].dtype}"
                report.add(place, wrong, f"allowed: {', '.join(FLOATS)}")
        if len(report) > before:
            return None
        return {name: stored.read(name) for name in shapes}
    except DataError as error:
        report.add_error(place, error)
        return None


def check_weights_name(file: str, place: Location, report: Report) -> bool:
    """Whether a file may hold weights by its name; where not, that is reported."""
    if Path(file).suffix.lower() == ".safetensors":
        return True
    allowed = "weights are read from .safetensors files; of others say checkpoint = …"
    report.add(place, f"is {shown(file)}", allowed)
    return False


def read_inline(
    raw: Mapping[str, Any], shapes: Shapes | None, layout: Layout | None, place: Location, report: Report
) -> dict[str, Array] | None:
    """Read [model.parameters]; None where there are problems. The arguments are as in `read_weights`."""
    before = len(report)
    arrays: dict[str, Array] = {}
    for name, value in _flat(raw):
        try:
            arrays[name] = to_array(value)
        except DataError as error:
            report.add_error((*place, *_parts(raw, name)), error)
    if shapes is None or layout is None or len(report) > before:
        return None
    _compare({name: array.shape for name, array in arrays.items()}, shapes, layout, place, "", report)
    return None if len(report) > before else {name: arrays[name] for name in shapes}


def _flat(raw: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The parameters by name; head.weight may be written with or without quotes."""
    for name, value in raw.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", entry) for inner, entry in value.items())
        else:
            yield name, value


def _parts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return (name,) if name in raw else tuple(name.split(".", 1))


def _compare(
    shapes: Shapes, expected: Shapes, layout: Layout, place: Location, file: str, report: Report
) -> None:
    """Report what is missing, what is not expected, and what has another shape."""
    prefix = f"{file}: " if file else ""
    missing = [name for name in expected if name not in shapes]
    unexpected = [name for name in shapes if name not in expected]
    for name in unexpected[:MOST]:
        meant = closest(name, missing)
        report.add(place, f"{prefix}{shown(name)} is not a parameter of this model", suggestion=meant)
        missing = [other for other in missing if other != meant]
    if len(unexpected) > MOST:
        report.add(place, f"{prefix}and {counted(len(unexpected) - MOST, 'more parameter')} too many")
    if missing:
        report.add(place, f"{prefix}{first_of(missing, MOST)} missing")
    wrong = [name for name in expected if name in shapes and shapes[name] != expected[name]]
    for name in wrong[:MOST]:
        sentence = f"{prefix}{name} has shape {tuple(shapes[name])}, {tuple(expected[name])} is expected"
        report.add(place, sentence, _hint(name, shapes, layout))
    if len(wrong) > MOST:
        report.add(place, f"{prefix}and {counted(len(wrong) - MOST, 'more parameter')} of another shape")


def _hint(name: str, shapes: Shapes, layout: Layout) -> str:
    """The cells whose number of row blocks a parameter has; empty if it is this cell's, or nobody's."""
    shape = shapes[name]
    if not name.startswith(("weight_ih", "weight_hh", "bias_")) or not shape or shape[0] % layout.hidden_size:
        return ""
    blocks = shape[0] // layout.hidden_size
    if blocks == len(layout.cell.rows):
        return ""
    cells = [c.name for c in CELLS.values() if len(c.rows) == blocks and _may_be_of(c, shapes)]
    if not cells:
        return ""
    return f"{counted(blocks, 'block')} of rows fit {one_of(cells).removeprefix('allowed: ')}"


def _may_be_of(cell: Cell, names: Collection[str]) -> bool:
    """Whether parameters of these names may be a cell's: with what it alone has, and R where they have."""
    has_r = any(parameter.name == "weight_hh" for parameter in cell.parameters)
    own = (parameter.name + "_l0" in names for parameter in cell.own_parameters)
    return all(own) and (has_r or "weight_hh_l0" not in names)
