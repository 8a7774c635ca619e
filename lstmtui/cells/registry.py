"""The cells by name: those that are built in, and those that the user's own Python registers."""

from __future__ import annotations

from collections.abc import Iterator
from keyword import iskeyword

from lstmtui.cells import CELLS
from lstmtui.cells.cell import Cell
from lstmtui.cells.parameters import Parameter
from lstmtui.cells.written import definition_of
from lstmtui.errors import UserError
from lstmtui.wording import first_line, listed
from lstmtui.words import WORDS

BUILT_IN = dict(CELLS)

RESERVED = WORDS | {"x", "y"}
"""What expressions and traces use for something else."""
_LONGEST = 60


def register(cell: Cell) -> Cell:
    """Make a cell known by its name to `Recurrent`, scenarios, checkpoints and expressions.

    It replaces a cell that was registered under the same name before.

    Args:
        cell: a cell of your own.

    Returns:
        The same cell.

    Raises:
        UserError: the cell has the name of a built-in one, or cannot be run; the message lists every problem.
    """
    check(cell)
    CELLS[cell.name] = cell
    return cell


def check(cell: Cell) -> None:
    """Refuse a cell that cannot be run.

    Raises:
        UserError: see `register`.
    """
    if not isinstance(cell, Cell):
        raise UserError(f"expected an lstmtui.Cell, found {type(cell).__name__}")
    if BUILT_IN.get(cell.name) == cell:
        return
    problems = list(_problems(cell))
    if problems:
        raise UserError(f"cell {str(cell.name)[:_LONGEST]}: {'; '.join(problems)}")


def _problems(cell: Cell) -> Iterator[str]:
    if cell.name in BUILT_IN:
        yield "this is the name of a built-in cell; choose another"
    elif not _is_name(cell.name):
        yield "its name must be one of letters, digits and underscores, at most 60"
    misshapen = [f"{field} must be a tuple of {what}" for field, what in _misshapen(cell)]
    if misshapen:
        yield from misshapen
        return
    if cell.states[:1] != ("h",):
        yield "its first state must be h, which the layer passes on"
        return
    try:
        quantities = cell.quantities
    except UserError as error:
        yield str(error)
        return
    except Exception as error:
        yield (
            f"its equations cannot be run on symbols: {type(error).__name__}: {first_line(error)}; they may "
            "use + − · / @ and what is in lstmtui.cells.functions"
        )
        return
    undefined = [state for state in cell.states if state not in quantities]
    if undefined:
        yield f"its equations do not yield {listed(undefined)}"
        return
    for name in quantities:
        if not _is_name(name) or name in RESERVED:
            yield f"{str(name)[:_LONGEST]!r} cannot be the name of a quantity"
        elif name.startswith("d") and name[1:] in (*quantities, "x", "y"):
            yield f"{name} is the name of the derivative by {name[1:]}"
    try:
        _ = cell.parameters, cell.quantity_sizes, definition_of(cell)
    except (UserError, ValueError, KeyError) as error:
        yield str(error).removeprefix(f"{cell.name}: ")
        return
    yield from _parameter_problems(cell)


def _parameter_problems(cell: Cell) -> Iterator[str]:
    """What is wrong with the names, sizes and symbols of the parameters."""
    names = [parameter.name for parameter in cell.parameters]
    twice = {name for name in names if names.count(name) > 1}
    yield from (f"{name} is a parameter twice" for name in sorted(twice))
    yield from (f"{name!r} cannot be the name of a parameter" for name in names if not _is_name(name))
    declared = {"input", "hidden", "output", *cell.sizes}
    sizes = {size for parameter in cell.parameters for size in parameter.shape} | {*cell.state_sizes.values()}
    parts = {part for size in sizes if isinstance(size, str) for part in size.split("/")}
    unknown = sorted(part for part in parts if part not in declared)
    yield from (f"{part!r} is no size; there are {', '.join(sorted(declared))}" for part in unknown)
    symbols = [symbol for parameter in cell.parameters for symbol in parameter.symbols]
    yield from (f"{symbol!r} cannot stand for a parameter" for symbol in symbols if not _is_name(symbol))


def _misshapen(cell: Cell) -> Iterator[tuple[str, str]]:
    """The fields that are no tuples of what they are to hold, and what that is."""
    for field, kind, what in (
        ("rows", str, "names"),
        ("states", str, "names"),
        ("own_parameters", Parameter, "lstmtui.Parameter"),
    ):
        value = getattr(cell, field)
        if not isinstance(value, (tuple, list)) or not all(isinstance(item, kind) for item in value):
            yield field, what


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not iskeyword(name) and len(name) <= _LONGEST
