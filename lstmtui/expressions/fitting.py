"""Whether an expression makes sense where it is to be evaluated."""

from __future__ import annotations

from math import prod

from lstmtui.cells import CELLS
from lstmtui.cells.parts import counterparts
from lstmtui.closest import closest
from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.nodes import (
    Base,
    Comparison,
    Elementwise,
    Node,
    ParameterNumbers,
    Previous,
    Quantity,
    Unit,
    children,
    is_vector,
)
from lstmtui.expressions.scope import Scope
from lstmtui.expressions.vocabulary import cell_vocabulary
from lstmtui.wording import counted
from lstmtui.words import FUNCTIONS, SCALARS


def units_of(node: Node, scope: Scope, text: str) -> int | None:
    """The number of units of a node's value; None for a scalar.

    Raises:
        ExpressionError: a quantity is not there, a unit does not exist, or vectors differ in size.
    """
    match node:
        case Quantity():
            return _units_of_quantity(node, scope)
        case ParameterNumbers():
            return _units_of_parameter(node, scope)
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


def unit_number(node: Unit, scope: Scope) -> int:
    """Which of the operand's units it is, from 0 or, counted from the last, below that.

    Args:
        node: a unit that its operand has, as `units_of` finds out.
        scope: what it is evaluated on.
    """
    if len(node.indices) == 1:
        return node.indices[0]
    number = 0
    for index, size in zip(node.indices, _shape_of(node.operand, scope), strict=True):
        number = number * size + index % size
    return number


def axes_text(shape: tuple[int, ...]) -> str:
    """ "3 axes of 2 × 2 × 3", or "one axis"."""
    return "one axis" if len(shape) == 1 else f"{len(shape)} axes of {' × '.join(map(str, shape))}"


def _shape_of(node: Node, scope: Scope) -> tuple[int, ...]:
    """The axes of a vector's units, those of the quantities it is made of where they all agree."""
    match node:
        case Quantity():
            return scope.shape(node.name)
        case Base():
            return _shape_of(node.operand, scope.base or scope)
        case ParameterNumbers():
            return (_units_of_parameter(node, scope) or 1,)
        case _:
            vectors = [child for child in children(node) if is_vector(child)]
            shapes = [_shape_of(child, scope) for child in vectors]
            return shapes[0] if len(set(shapes)) == 1 else (prod(shapes[0]),)


def _units_of_parameter(node: ParameterNumbers, scope: Scope) -> int | None:
    """How many numbers it is; None for one."""
    shapes = scope.parameters()
    if node.name not in shapes:
        has = f"the parameters of the selected layer are {', '.join(shapes)}"
        wrong = f"{node.name} is not there; {has if shapes else 'no parameters of the selected layer are'}"
        raise ExpressionError(wrong, node.start, closest(node.name, shapes))
    shape = shapes[node.name]
    if len(shape) != node.axes:
        raise ExpressionError(f"{node.name} of the selected layer has {axes_text(shape)}", node.start)
    _check_indices(node, shape, node.name, f"{node.name} has")
    return prod(shape[len(node.indices) :]) if len(node.indices) < node.axes else None


def _units_of_quantity(node: Quantity, scope: Scope) -> int:
    names = scope.names()
    if node.name in names:
        return int(scope.window(node.name, 0, 0).shape[1])
    is_derivative = node.name.startswith("d") and node.name[1:] in names
    if is_derivative and (why := scope.absent(node.name[1:])):
        raise ExpressionError(f"{node.name} is not there: {why}", node.start)
    if node.name not in cell_vocabulary().words:
        meant = closest(node.name, (*names, *FUNCTIONS, *SCALARS))
        wrong = f"{node.name[:40]} is neither a quantity of the selected layer nor a function"
        raise ExpressionError(wrong, node.start, meant)
    plain = [name for name in names if name != "y" and not (name[0] == "d" and name[1:] in names)]
    if "_" not in node.name:
        plain = [name for name in plain if not name.endswith("_pre")]
    wrong = f"{node.name} is not there; the selected layer has {', '.join(plain)}"
    raise ExpressionError(wrong, node.start, _counterpart(node.name, names))


def _counterpart(name: str, names: tuple[str, ...]) -> str:
    """What plays the part of a quantity in another cell: h that of c in a GRU, n that of g.

    In code it is the variable of that name, where the name itself means something else: h_ where there is dh.
    """
    if name + "_" in names:
        return name + "_"
    derivative = "d" if name.startswith("d") else ""
    stem, pre, _ = name.removeprefix("d").partition("_pre")
    written = (derivative + other + pre for other in counterparts(stem, CELLS.values()))
    return next((counterpart for counterpart in written if counterpart in names), "")


def _check_unit(node: Unit, scope: Scope, text: str) -> None:
    units, source = units_of(node.operand, scope, text), text[node.operand.start : node.operand.stop]
    if units is None:
        return
    shape = _shape_of(node.operand, scope) if len(node.indices) > 1 else (units,)
    if len(node.indices) != len(shape):
        by_axis = f"{source}[{', '.join('0' for _ in shape)}]"
        wrong = f"{source} has {axes_text(shape)}, not {len(node.indices)}"
        raise ExpressionError(wrong, node.columns[0], by_axis)
    _check_indices(node, shape, source, f"{source} has units")


def _check_indices(
    node: Unit | ParameterNumbers, shape: tuple[int, ...], source: str, vector_has: str
) -> None:
    """Refuse an index beyond its axis; the axes behind the last index are free.

    Args:
        node: with the indices.
        shape: of what is indexed.
        source: how that is written.
        vector_has: how the sentence begins where it has one axis.
    """
    for axis, (index, size) in enumerate(zip(node.indices, shape, strict=False)):
        if not -size <= index < size:
            called = "unit" if len(shape) == 1 and isinstance(node, Unit) else "index"
            has = vector_has if len(shape) == 1 else f"axis {axis} of {source} has"
            raise ExpressionError(f"{called} {index}: {has} 0 to {size - 1}", node.columns[axis])


def _common(node: Elementwise | Comparison, scope: Scope, text: str) -> int | None:
    common, first = None, None
    for operand in node.operands:
        units = units_of(operand, scope, text)
        if units is None:
            continue
        if common is not None and first is not None and units != common:
            left, right = text[first.start : first.stop], text[operand.start : operand.stop]
            raise ExpressionError(
                f"{left} has {counted(common, 'unit')} and {right} has {counted(units, 'unit')}",
                operand.start,
            )
        common, first = units, operand
    return common
