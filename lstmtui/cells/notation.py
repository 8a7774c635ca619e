"""How equations and numbers are written: in Unicode, or in ASCII for terminals and readers without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Notation:
    """The signs of one way of writing."""

    sigmoid: str
    times: str
    minus: str
    prime: str
    ascii: bool

    def at(self, name: str, t: int) -> str:
        """`name` with the timestep as its index: c₁₂ or c[12]."""
        return f"{name}[{t}]" if self.ascii else name + str(t).translate(_SUBSCRIPTS)

    def number(self, value: float, digits: int = 3) -> str:
        """`value` to about `digits` significant digits; NaN, +inf and −inf by name.

        Plain decimals where they are readable (0.01 to 9999), powers of ten elsewhere.
        """
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "+inf" if value > 0 else f"{self.minus}inf"
        size = abs(value)
        if size == 0:
            text = "0"
        elif 0.01 <= size < 10**4:
            decimals = digits - 1 - math.floor(math.log10(size))
            text = f"{size:.{min(digits, max(0, decimals))}f}"
        else:
            mantissa, exponent = f"{size:.{digits - 2}e}".split("e")
            text = f"{mantissa}e{self.minus if exponent[0] == '-' else ''}{exponent[1:].lstrip('0') or '0'}"
        return self.minus + text if value < 0 else text


UNICODE = Notation(sigmoid="σ", times="·", minus="−", prime="′", ascii=False)
ASCII = Notation(sigmoid="sigmoid", times="*", minus="-", prime="'", ascii=True)
