"""Parts put in order and added up, of which only those are written out that are listed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.why.ledger import Kind, Ledger, Part, Place
from lstmtui.arrays import Vector


@dataclass(frozen=True, eq=False)
class Summands:
    """Parts of which only those are written out that are listed: there may be one for each timestep."""

    values: Vector
    make: Callable[[int], Part]
    """The part at an index of the values."""

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Summands:
        """Parts that are all there."""
        every = tuple(parts)
        return cls(np.array([part.value for part in every], np.float64), every.__getitem__)

    def after(self, parts: Iterable[Part]) -> Summands:
        """These with others before them."""
        first = tuple(parts)
        count = len(first)
        values = np.concatenate([[part.value for part in first], self.values])
        return Summands(values, lambda at: first[at] if at < count else self.make(at - count))


def ledger_of(
    asked: Place,
    value: float,
    parts: Iterable[Part] | Summands,
    *,
    kind: Kind = "sum",
    equation: str = "",
    of: str = "",
    whole: float | None = None,
    most: int | None = None,
    notes: Iterable[str] = (),
    hint: str = "",
) -> Ledger:
    """A ledger with its parts in order and its sum.

    Args:
        asked: the number.
        value: it.
        parts: all of them, in any order.
        kind: what they come to it by.
        equation: how, in symbols.
        of: what they come to; left out: the number.
        whole: the value of that; None: the number's.
        most: so many are listed; None: all.
        notes: what is to be known.
        hint: what else can be asked.
    """
    summands = parts if isinstance(parts, Summands) else Summands.of(parts)
    values = summands.values
    sizes = np.where(np.isnan(values), np.inf, np.abs(values))
    order = np.argsort(-sizes, kind="stable") if kind == "sum" else np.arange(len(values))
    listed = order[:most]
    total = value if kind not in ("sum", "product") else _sum(values)
    if kind == "product":
        with np.errstate(all="ignore"):
            total = float(np.prod(values))
    return Ledger(
        asked,
        value,
        kind,
        equation,
        of or asked.name,
        value if whole is None else whole,
        tuple(summands.make(at) for at in listed.tolist()),
        len(values),
        _sum(values[order[len(listed) :]]),
        total,
        _sum(np.abs(values)) if kind == "sum" else abs(total),
        tuple(notes),
        hint,
    )


def _sum(values: Vector) -> float:
    """The exact sum, rounded once; of what is not finite what adding gives."""
    if np.isfinite(values).all():
        with suppress(OverflowError):
            return math.fsum(values.tolist())
    with np.errstate(all="ignore"):
        return float(values.sum())
