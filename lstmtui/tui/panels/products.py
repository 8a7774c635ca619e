"""The lines below an equation that open its products W·x and R·h into their addends."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lstmtui.cells.notation import Notation
from lstmtui.cells.products import Factor, Products
from lstmtui.tui.widgets.spans import Spans
from lstmtui.wording import counted

_INDENT = "        "


def product_lines(
    products: Iterable[Products],
    quantity: str,
    unit: int,
    notation: Notation,
    hidden: Collection[str] = (),
) -> list[Spans]:
    """The addends of every product in the equation of a quantity, largest first, each product with its sum.

    Those that are all 0 are not listed.

    Args:
        products: of the timestep.
        quantity: whose equation it is.
        unit: the row of the matrices.
        notation: Unicode or ASCII.
        hidden: the quantities that have no numbers; nor have products with them.
    """
    lines: list[Spans] = []
    for product in products:
        roles = {quantity, quantity + "_pre", *(role for _, role in product.vector)}
        if product.quantity != quantity or roles.intersection(hidden):
            continue
        # The largest is the first: before it has begun, a state gives nothing but zeros.
        are_zero = product.count > 1 and bool(product.factors) and product.factors[0].product == 0
        order = ", all 0" if are_zero else ", largest first" if product.count > 1 else ""
        head = f"{counted(product.count, 'product')}{order}"
        total = (notation.number(product.total), "number")
        lines.append((("      ", "sign"), *product.written, (" = ", "sign"), total, (f"  {head}", "muted")))
        if are_zero:
            continue
        lines += [_factor_line(product, factor, unit, notation) for factor in product.factors]
        more = product.count - len(product.factors)
        if more:
            rest = (notation.number(product.rest), "number")
            lines.append(((f"{_INDENT}and {more:,} more", "muted"), (" = ", "sign"), rest))
    return lines


def _factor_line(product: Products, factor: Factor, unit: int, notation: Notation) -> Spans:
    """W_f[5, 0]·x[0] = 0.84 × 1.2 = 1.01"""
    names: Spans = (
        (f"{_INDENT}{product.matrix}[{unit}, {factor.index}]", "parameter"),
        (notation.times, "sign"),
        *product.vector,
        (f"[{factor.index}]", "sign"),
    )
    weight, value = (notation.number(number) for number in (factor.weight, factor.value))
    return (
        *names,
        (" = ", "sign"),
        (weight, "number"),
        (notation.times, "sign"),
        (f"({value})" if factor.value < 0 else value, "number"),
        (" = ", "sign"),
        (notation.number(factor.product), "number"),
    )
