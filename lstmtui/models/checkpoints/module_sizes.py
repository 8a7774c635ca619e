"""The sizes of one recurrent module, from the names and shapes of its parameters. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.layout import Layout

MOST_LAYERS = 64
STOCK = frozenset(("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
"""The parameters of PyTorch's own modules; further ones say which cell a module is."""

_MATRIX = re.compile(r"weight_(?:ih|hh|hr)(?:_l|$)")
_DEFAULTS = {1: "rnn_tanh", 3: "gru", 4: "lstm"}

Shapes = Mapping[str, tuple[int, ...]]


class ModuleSizes(NamedTuple):
    """What the shapes of a module's parameters say."""

    layouts: tuple[Layout, ...]
    """Its sizes as each cell that it may be, the usual one first; none where they do not fit together."""
    cells: tuple[str, ...]
    """The names of these cells."""
    wrong: str
    """Why there are none."""
    has_state: bool
    """Whether a parameter is for the hidden state, as of all cells but some."""
    may_have_none: bool
    """Whether the parameters may be those of a cell that has no such one."""


@lru_cache(maxsize=1024)
def sizes_of_module(names: tuple[str, ...], parameters: tuple[tuple[int, ...], ...]) -> ModuleSizes:
    """The sizes of one module.

    Args:
        names: of a layout.
        parameters: their shapes.
    """
    shapes = dict(zip(names, parameters, strict=True))
    layouts, wrong = _layouts(shapes)
    has_state = any(name.startswith("weight_hh") for name in shapes)
    cells = tuple(layout.cell.name for layout in layouts)
    return ModuleSizes(layouts, cells, wrong, has_state, _is_without_r(shapes))


def _layouts(shapes: Shapes) -> tuple[tuple[Layout, ...], str]:
    names = _bases(shapes)
    is_recurrent = "weight_hh" in names or not _is_without_r(shapes)
    if "weight_ih_l0" not in shapes or (is_recurrent and "weight_hh_l0" not in shapes):
        absent = "weight_ih_l0" if "weight_hh_l0" in shapes else "weight_hh_l0"
        return (), f"{absent} is missing"
    matrices = [shape for name, shape in shapes.items() if _MATRIX.match(name)]
    if any(len(shape) != 2 or 0 in shape for shape in matrices):
        return (), "its weights are not matrices"
    highest = max(int(number) for name in shapes for number in re.findall(r"_l(\d+)", name))
    if highest >= MOST_LAYERS:
        return (), f"it has a layer {highest}, at most {MOST_LAYERS} layers are read"
    matrix = "weight_hh" if is_recurrent else "weight_ih"
    rows, columns = shapes[matrix + "_l0"]
    every = [layout for cell in CELLS.values() if (layout := _layout(cell, shapes, highest + 1)) is not None]
    likely = [layout for layout in every if _could_be(layout.cell, matrix, names)]
    if not likely:
        return (), f"{matrix}_l0 {(rows, columns)} is that of no cell"
    usual = _DEFAULTS.get(rows // likely[0].hidden_size) if is_recurrent else None
    likely.sort(key=lambda layout: layout.cell.name != usual)
    fitting = tuple(layout for layout in likely if not _misfit(layout, shapes))
    return (fitting, "") if fitting else ((), _misfit(likely[0], shapes))


def _layout(cell: Cell, shapes: Shapes, layers: int) -> Layout | None:
    """The sizes that a module has as one cell; None where its parameters are of no such sizes."""
    numbers: dict[str, int] = {}
    for parameter in cell.parameters:
        shape, count = shapes.get(parameter.name + "_l0"), len(parameter.symbols)
        if shape is None or len(shape) != max(len(parameter.shape), count > 1):
            continue
        for axis, size in enumerate(parameter.shape):
            number, rest = divmod(shape[axis], count if axis == 0 else 1)
            if rest:
                return None
            if isinstance(size, str) and "/" not in size and numbers.setdefault(size, number) != number:
                return None
    projected = "weight_hr_l0" in shapes
    hidden = numbers.get("hidden") or numbers.get("output")
    if not hidden or "input" not in numbers or (projected and not cell.projects):
        return None
    if not projected and numbers.get("output", hidden) != hidden:
        return None
    layout = Layout(
        cell,
        numbers["input"],
        hidden,
        layers,
        any(name.endswith("_reverse") for name in shapes),
        numbers.get("output", 0) if projected else 0,
        any(p.name + "_l0" in shapes for p in cell.parameters if p.needs == "bias"),
    )
    usual = layout.own_sizes
    own = tuple((n, numbers[n]) for n in cell.sizes if n in numbers and numbers[n] != usual[n])
    return replace(layout, sizes=own)


def _could_be(cell: Cell, matrix: str, names: frozenset[str]) -> bool:
    """Whether a module may be of a cell, by the names of its parameters.

    Args:
        cell: which.
        matrix: weight_hh, or weight_ih for cells without that.
        names: of the module's parameters, by base name.
    """
    own = {p.name for p in cell.parameters} - STOCK
    told_apart = bool(own & names) if own else not names - STOCK
    return (_blocks(cell, "weight_hh") > 0) == (matrix == "weight_hh") and told_apart


def _blocks(cell: Cell, name: str) -> int:
    """How many blocks of rows a parameter of a cell has; 0 where the cell does not have it."""
    return next((len(p.symbols) for p in cell.parameters if p.name == name), 0)


def _is_without_r(names: Iterable[str]) -> bool:
    """Whether a module with these parameters may be a cell that has no weight_hh."""
    cells, bases = [cell for cell in CELLS.values() if not _blocks(cell, "weight_hh")], _bases(names)
    return "weight_ih" in bases and any(bases <= {p.name for p in cell.parameters} for cell in cells)


def _bases(names: Iterable[str]) -> frozenset[str]:
    """Names without the number of the layer and its direction."""
    return frozenset(re.sub(r"_l\d+(_reverse)?$", "", name) for name in names)


def _misfit(layout: Layout, shapes: Shapes) -> str:
    """The first parameter that is missing, too many or of another shape than the sizes ask for."""
    problems = layout.problems()
    if problems:
        return f"{problems[0][0]} {problems[0][1]}"
    expected = layout.shapes()
    for name, shape in expected.items():
        if name not in shapes:
            return f"{name} is missing"
        if shapes[name] != shape:
            return f"{name} has shape {tuple(shapes[name])}, {tuple(shape)} is expected"
    more = [name for name in shapes if name not in expected]
    return f"{more[0]} does not belong to a {layout.cell.name}" if more else ""
