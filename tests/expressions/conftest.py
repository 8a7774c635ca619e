"""Traces with chosen values, as an expression sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import synthetic

from lstmtui.expressions.scope import TraceScope
from lstmtui.trace import Trace

Array = npt.NDArray[Any]


@pytest.fixture(scope="session")
def scope_with() -> Callable[..., TraceScope]:
    """Makes the scope of an LSTM with the given quantities, each (T, H); the others are random."""

    def make(
        values: Mapping[str, Array],
        *,
        initial: Mapping[str, Array] | None = None,
        backward: bool = False,
        base: TraceScope | None = None,
        loss: float = 0.25,
    ) -> TraceScope:
        steps, units = next(iter(values.values())).shape
        trace = synthetic("lstm", steps, units, bidirectional=backward, input_size=2, loss=loss)
        direction = "backward" if backward else "forward"
        arrays = dict(trace.arrays)
        for name, array in values.items():
            arrays[f"0/{direction}/{name}"] = np.asarray(array)[:, None]
        for name, array in (initial or {}).items():
            arrays[f"0/{direction}/initial/{name}"] = np.asarray(array)[None]
        return TraceScope(Trace(trace.header, arrays), 0, direction, 0, base)

    return make
