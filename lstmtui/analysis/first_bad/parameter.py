"""The parameter that is not finite, before anything is computed with it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstmtui.arrays import Array


def bad_parameter(parameters: Mapping[str, Array]) -> tuple[str, float] | None:
    """(name with row and column, value) of the first number of the first parameter that is not finite.

    A parameter of nothing but inf is a constant, such as what masks are filled with: it is told where there
    is no other.
    """
    constant = None
    for name, values in parameters.items():
        bad = ~np.isfinite(np.asarray(values))
        if bad.any():
            at = np.unravel_index(int(bad.argmax()), bad.shape)
            place = f"[{', '.join(str(int(n)) for n in at)}]" if at else ""
            own = f"{name}{place}", float(np.asarray(values)[at])
            if not np.isinf(values).all():
                return own
            constant = constant or own
    return constant
