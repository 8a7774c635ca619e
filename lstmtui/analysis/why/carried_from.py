"""What a variable of recorded code was in the round before, where it is just that tensor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.stage_values import values_at
from lstmtui.analysis.why.ledger import Place
from lstmtui.trace import Trace
from lstmtui.trace.source import Source, Variable


def carried_from(trace: Trace, asked: Place, source: Source, variable: Variable) -> Place | None:
    """The variable of the round before whose tensor this is; None where it is none's."""
    if asked.t == 0:
        return None
    for earlier in _carrying(source, variable):
        before = values_at(trace, asked.layer, earlier.name, asked.t - 1)
        now = values_at(trace, asked.layer, variable.name, asked.t)
        if before is not None and now is not None and np.array_equal(
            before[asked.batch], now[asked.batch], equal_nan=True
        ):  # fmt: skip
            return asked.at(earlier.name, asked.t - 1)
    return None


def _carrying(source: Source, variable: Variable) -> Iterator[Variable]:
    return (v for v in source.variables if variable.name in v.carried_to and v.name != variable.name)
