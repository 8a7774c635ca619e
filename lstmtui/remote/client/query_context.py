"""What an answer is checked against: the query, and the run that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmtui.trace import Trace
from lstmtui.trace.header import Layer

MOST = 1 << 10
"""Members of what has no more exact length: verdicts, terms of an equation."""
NUMBERS, INTEGERS, TRUTHS = "biuf", "biu", "b"


@dataclass(frozen=True, eq=False)
class QueryContext:
    """The facts about a query that its answer depends on."""

    trace: Trace
    baseline: Trace
    """The same without what-ifs."""
    layer: int
    direction: str
    unit: int
    last_t: int
    """Of the selected sequence."""
    arguments: Mapping[str, Any]
    """By name."""

    @property
    def selected(self) -> Layer:
        """The selected layer."""
        return self.trace.layers[self.layer]

    @property
    def units(self) -> int:
        """How many units the quantity has that is asked for."""
        return int(self.trace.values(self.arguments["quantity"], self.layer, self.direction).shape[2])


def is_array(value: Any, kinds: str, *shape: int) -> bool:
    """Whether a value is an array of one of these kinds of dtype (NumPy's letters), and has this shape."""
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds and value.shape == shape
