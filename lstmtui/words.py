"""The words of expressions: no quantity of a cell or of code may have the name of one."""

from __future__ import annotations

REDUCTIONS = ("norm", "mean", "min", "max", "sum", "any", "all", "argmax", "argmin", "len")
"""From a value for each unit to one value."""

ELEMENTWISE = ("abs", "isnan", "isfinite", "sqrt", "log", "exp")
"""From a value for each unit to a value for each unit."""

ELSEWHERE = ("prev", "base")
"""The same expression at the timestep before, or in the run without what-ifs."""

FUNCTIONS = REDUCTIONS + ELEMENTWISE + ELSEWHERE
CONNECTIVES = ("and", "or", "not")
SCALARS = ("t", "loss", "firstbad")
"""One value: the timestep, what the gradients are taken of, and the timestep of the first NaN or inf of the
sequence in the forward pass, −1 where there is none."""

WORDS = frozenset((*SCALARS, *FUNCTIONS, *CONNECTIVES))
"""All of them."""
