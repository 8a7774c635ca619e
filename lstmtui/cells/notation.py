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

    def number(self, value: float, digits: int = 3, width: int | None = None) -> str:
        """`value` to about `digits` significant digits; NaN, +inf, −inf and −0 by name.

        Plain decimals where they are readable (0.01 to 9999), powers of ten elsewhere. What lies between
        −1 and 1 is never written as 0 or ±1: it has more digits, or where these are wider than `width`
        characters, its distance to 1 (1−6e−8).
        """
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "+inf" if value > 0 else f"{self.minus}inf"
        size, sign = abs(value), self.minus if math.copysign(1.0, value) < 0 else ""
        if size == 0:
            return f"{sign}0"
        if not 0.01 <= size < 10**4:
            return sign + self._power_of_ten(size, digits - 2)
        decimals = min(digits, max(0, digits - 1 - math.floor(math.log10(size))))
        text = f"{size:.{_decimals_below_one(size, decimals)}f}"
        if width is not None and size < 1 and len(sign + text) > width:
            text = f"1{'+' if sign else self.minus}{self._power_of_ten(1 - size, 0)}"
        return sign + text

    def _power_of_ten(self, size: float, decimals: int) -> str:
        mantissa, exponent = f"{size:.{decimals}e}".split("e")
        return f"{mantissa}e{self.minus if exponent[0] == '-' else ''}{exponent[1:].lstrip('0') or '0'}"

    def read(self, text: str) -> float:
        """The value of what `number` has written without a width."""
        return float(text.replace(self.minus, "-"))

    def last_place(self, text: str) -> float:
        """What 1 is worth at the last digit of what `number` has written of a finite value."""
        mantissa, _, exponent = text.replace(self.minus, "-").partition("e")
        return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))


def plain(value: float, digits: int = 6) -> str:
    """A number for logs and scripts, in ASCII: "0.125", "1e-07"; NaN, +inf, -inf and -0 as on screen.

    What lies between -1 and 1 is never written as ±1.
    """
    if not math.isfinite(value):
        return ASCII.number(value)
    return f"{value:.{_decimals_below_one(abs(value), digits)}g}"


def percent(share: float) -> str:
    """A share in whole percent; what is not nothing and not everything never reads as 0% or 100%."""
    if share < 0:
        return f"−{percent(-share)}"
    text = f"{share:.0%}"
    if text == "0%" and share > 0:
        return "<1%"
    return ">99%" if text == "100%" and share < 1 else text


def _decimals_below_one(size: float, decimals: int) -> int:
    """So many decimals, or as many as have a digit of the distance to 1 of what is below it."""
    return max(decimals, -int(f"{1 - size:.0e}".split("e")[1])) if 0.9 < size < 1 else decimals


UNICODE = Notation(sigmoid="σ", times="·", minus="−", prime="′", ascii=False)
ASCII = Notation(sigmoid="sigmoid", times="*", minus="-", prime="'", ascii=True)
