"""Whether a model's code runs again as it did when it was recorded."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key


def check_same(trace: Trace, same: Trace) -> None:
    """Raise an error unless the model runs as it did when it was recorded.

    Raises:
        UserError: it does not; the message says by what.
    """
    why = _difference(trace, same)
    if why:
        raise UserError(
            f"{trace.name}: does not run as it did when it was recorded: {why}; record it again, or have "
            "its code do the same each time"
        )


def _difference(trace: Trace, same: Trace) -> str:
    """What is other in a second run, in words; empty where nothing is."""
    changed = [key for key in trace.arrays if key.startswith("parameters/")]
    changed = [
        key for key in changed if key not in same.arrays or not _equal(trace.arrays[key], same.arrays[key])
    ]
    if changed:
        return f"its parameter {changed[0].partition('/')[2]} has other values by now"
    first: tuple[int, int, str] | None = None
    is_close = True
    for number, layer in enumerate(trace.layers):
        for variable in () if layer.source is None else layer.source.variables:
            key = array_key(variable.name, number, "forward")
            if key not in same.arrays or trace.arrays[key].shape != same.arrays[key].shape:
                return f"{variable.written} of line {variable.line} is not bound as often"
            if not _equal(trace.arrays[key], same.arrays[key]):
                t = _first_step(trace.arrays[key], same.arrays[key])
                place = t, variable.line, f"{variable.written} of line {variable.line} is another at t={t}"
                first = place if first is None else min(first, place)
            # Parameters behind the last variable are seen in the derivatives alone.
            key = array_key("d" + variable.name, number, "forward")
            if key in trace.arrays:
                is_close &= key in same.arrays and _is_close(trace.arrays[key], same.arrays[key])
    if first is not None:
        return first[2] + ", with the same parameters and generators (its input, a file, a clock?)"
    return "" if is_close and np.array_equal(trace.loss, same.loss, equal_nan=True) else "its loss is another"


def _first_step(recorded: Array, repeated: Array) -> int:
    """The first timestep in which two arrays differ."""
    differs = (recorded != repeated) & ~((recorded != recorded) & (repeated != repeated))
    return int(np.argmax(differs.reshape(len(recorded), -1).any(1)))


def _is_close(recorded: Array, repeated: Array) -> bool:
    """Whether derivatives are the same, which a GPU may add up in another order."""
    scale = float(np.abs(recorded).max(initial=0, where=np.isfinite(recorded)))
    has_shape = recorded.shape == repeated.shape
    return has_shape and np.allclose(recorded, repeated, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)


def _equal(recorded: Array, repeated: Array) -> bool:
    is_real = recorded.dtype.kind in "fc"
    return recorded.shape == repeated.shape and np.array_equal(recorded, repeated, equal_nan=is_real)
