"""How far rounding may move the numbers of a run from what its equations give."""

from __future__ import annotations

from lstmtui.trace import Trace

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The distance from 1 to the next number of a dtype."""
_PRODUCTS = {"TF32": 2.0**-10, "BF16": 2.0**-7}
"""The same for what the operands of float32 products were rounded to."""

_FINE_STEPS, _COARSE_STEPS = 64, 4
"""Products over many units add up more roundings than one; of a coarse dtype so few are allowed for, as what
is fed in small parts would otherwise pass for rounding."""


def rounding_of(trace: Trace) -> float:
    """What a product with a matrix may be off by, as a part of the norm of what goes into it."""
    header = trace.header
    own = EPSILON.get(header.dtype, EPSILON["float32"])
    epsilon = max(own, _PRODUCTS.get(header.precision, 0.0))
    return epsilon * (_FINE_STEPS if epsilon <= EPSILON["float32"] else _COARSE_STEPS)
