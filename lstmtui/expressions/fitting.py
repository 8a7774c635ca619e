"""Whether an expression means something where it is to be evaluated."""

from __future__ import annotations

from lstmtui.cells import CELLS
from lstmtui.cells.parts import counterparts
from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.nodes import (
    Base,
    Comparison,
    Elementwise,
    Node,
    Previous,
    Quantity,
    Unit,
    children,
)
from lstmtui.expressions.scope import Scope


def units_of(node: Node, scope: Scope, text: str) -> int | None:
    """The number of units of a node's value; None for a scalar.

    Raises:
        ExpressionError: a quantity is not there, a unit does not exist, or vectors differ in size.
    """
    match node:
        case Quantity():
            return _units_of_quantity(node, scope)
        case Previous():
            return units_of(node.operand, scope, text)
        case Base():
            return units_of(node.operand, scope.base or scope, text)
        case Unit():
            _check_unit(node, scope, text)
            return None
        case Elementwise() | Comparison():
            return _common(node, scope, text)
        case _:
            for child in children(node):
                units_of(child, scope, text)
            return None


def _units_of_quantity(node: Quantity, scope: Scope) -> int:
    names = scope.names()
    if node.name not in names:
        if scope.absent and node.name.startswith("d") and node.name[1:] in names:
            raise ExpressionError(f"{node.name} is not there: {scope.absent}", node.start)
        plain = [name for name in names if name != "y" and not (name[0] == "d" and name[1:] in names)]
        if "_" not in node.name:
            plain = [name for name in plain if "_" not in name]
        wrong = f"{node.name} is not there; the selected layer has {', '.join(plain)}"
        raise ExpressionError(wrong, node.start, _counterpart(node.name, names))
    return int(scope.window(node.name, 0, 0).shape[1])


def _counterpart(name: str, names: tuple[str, ...]) -> str:
    """What plays the part of a quantity in another cell: h that of c in a GRU, n that of g."""
    derivative = "d" if name.startswith("d") else ""
    stem, pre, _ = name.removeprefix("d").partition("_pre")
    written = (derivative + other + pre for other in counterparts(stem, CELLS.values()))
    return next((counterpart for counterpart in written if counterpart in names), "")


def _check_unit(node: Unit, scope: Scope, text: str) -> None:
    units = units_of(node.operand, scope, text)
    if units is not None and not -units <= node.index < units:
        source = text[node.operand.start : node.operand.stop]
        nearest_unit = units - 1 if node.index > 0 else 0
        raise ExpressionError(
            f"{source} has units 0 to {units - 1}", node.column, f"{source}[{nearest_unit}]"
        )


def _common(node: Elementwise | Comparison, scope: Scope, text: str) -> int | None:
    common, first = None, None
    for operand in node.operands:
        units = units_of(operand, scope, text)
        if units is None:
            continue
        if common is not None and first is not None and units != common:
            left, right = text[first.start : first.stop], text[operand.start : operand.stop]
            raise ExpressionError(
                f"{left} has {_counted(common)} and {right} has {_counted(units)}", operand.start
            )
        common, first = units, operand
    return common


def _counted(units: int) -> str:
    return "1 unit" if units == 1 else f"{units} units"
