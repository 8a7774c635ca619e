"""The input sequence as a person reads it: signals or tokens, with the target and the output over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.arrays import Array, norm
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View

MOST_CHANNELS = 4
"""More channels than this would be unreadable as lines."""


@dataclass(frozen=True, eq=False)
class Line:
    """One channel over time."""

    name: str
    quantity: str
    """x, target or y."""
    values: Array
    """(timesteps,)"""
    absent: Array
    """bool (timesteps,): where there is no value at all."""


@dataclass(frozen=True)
class TokenRow:
    """One token for each timestep; "" where there is none."""

    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Signal:
    """What the Sequence panel shows from one timestep to another."""

    lines: tuple[Line, ...]
    rows: tuple[TokenRow, ...]


@query()
def signal(view: View, start: int, stop: int) -> Signal:
    """The input, the target and the output of the selected sequence, from `start` to before `stop`."""
    trace, batch = view.trace, view.cursor.batch
    steps = slice(start, stop)
    t = np.arange(start, stop)
    present, fed = t < trace.lengths[batch], t < lengths_of(trace, 0)[batch]
    taken = trace.arrays["mask"][steps, batch] if "mask" in trace.arrays else present
    lines, rows = [], []
    if "tokens" in trace.arrays:
        rows.append(_row("x", trace, trace.arrays["tokens"][steps, batch], fed))
    elif name := input_of(trace):
        lines += _lines(name, trace.header.labels, trace.values(name)[steps, batch], fed)
    if "target" in trace.arrays:
        target = trace.arrays["target"][steps, batch]
        if target.ndim == 1:
            rows.append(_row("target", trace, target, taken))
        else:
            lines += _lines("target", (), target, taken)
    if "y" in trace.arrays:
        y = trace.arrays["y"][steps, batch]
        if any(row.name == "target" for row in rows):
            rows.append(_row("y", trace, y.argmax(axis=-1), present))
        elif _is_readable(trace, y):
            lines += _lines("y", (), y, present)
    return Signal(tuple(lines), tuple(rows))


def input_of(trace: Trace) -> str:
    """What the first layer reads: x; of recorded code without such a name its first argument, or nothing."""
    layer = trace.layers[0]
    if layer.source is None or "x" in layer.quantities:
        return "x"
    carried = {name for variable in layer.source.variables for name in variable.carried_to}
    arguments = (v.name for v in layer.source.variables if not v.line and v.name not in carried)
    return next(arguments, "")


def _is_readable(trace: Trace, y: Array) -> bool:
    """Whether the output is an answer to look at, not merely the hidden state of a model without a head."""
    return "target" in trace.arrays or y.shape[-1] <= MOST_CHANNELS


def _lines(quantity: str, labels: tuple[str, ...], values: Array, present: Array) -> list[Line]:
    channels = values.shape[-1]
    if channels > MOST_CHANNELS:
        return [Line(f"‖{quantity}‖ of {channels}", quantity, norm(values), ~present)]
    names = labels if len(labels) == channels else tuple(f"{quantity}[{i}]" for i in range(channels))
    if channels == 1 and quantity in ("y", "target"):
        names = (quantity,)
    return [Line(name, quantity, values[:, i], ~present) for i, name in enumerate(names)]


def _row(name: str, trace: Trace, ids: Array, present: Array) -> TokenRow:
    labels = trace.header.labels
    shown = (labels[i] if 0 <= i < len(labels) else str(i) for i in ids.tolist())
    return TokenRow(name, tuple(s if p else "" for s, p in zip(shown, present.tolist(), strict=True)))
