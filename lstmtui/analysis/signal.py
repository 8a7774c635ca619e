"""The input sequence as a person reads it: signals or tokens, with the target and the output over them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lstmtui.analysis.norm_plot import NormPlot, norm_plot_of
from lstmtui.arrays import Array, norm
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View

SEVERAL = "·"
"""In place of a token where timesteps that share a column have different ones."""
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
    shift: float = 0.0
    scale: float = 1.0
    """value · scale + shift is the number in the data, which the run has seen normalised."""
    plot: NormPlot | None = None
    """What it looks like, in place of values, where timesteps share columns."""


@dataclass(frozen=True)
class TokenRow:
    """One token for each column; "" where there is none, SEVERAL where its timesteps have several."""

    name: str
    tokens: tuple[str, ...]
    wrong: tuple[bool, ...] = ()
    """Of y for each column: whether it is at any timestep not what the target says; of other rows nothing."""


@dataclass(frozen=True)
class Signal:
    """What the Sequence panel shows from one timestep to another."""

    lines: tuple[Line, ...]
    rows: tuple[TokenRow, ...]


@query()
def signal(
    view: View,
    start: int,
    stop: int,
    per_column: int = 1,
    timesteps: int = 0,
    pixels: int = 0,
    cells: int = 0,
) -> Signal:
    """The input, the target and the output of the selected sequence.

    Args:
        view: whose cursor says which sequence is meant.
        start: the first timestep.
        stop: the timestep after the last.
        per_column: how many timesteps share a column: of more than one, lines are what they look like.
        timesteps: then, how many a plot has room for.
        pixels: then, its columns of dots.
        cells: then, its columns of characters.
    """
    trace, batch = view.trace, view.cursor.batch
    steps = slice(start, stop)
    t = np.arange(start, stop)
    present, fed = t < trace.lengths[batch], t < lengths_of(trace, 0)[batch]
    taken = trace.arrays["mask"][steps, batch] if "mask" in trace.arrays else present
    units = trace.arrays.get("shift"), trace.arrays.get("scale")
    forecast = units if trace.header.is_forecast else (None, None)
    lines, rows = [], []
    if "tokens" in trace.arrays:
        rows.append(_row("x", trace, trace.arrays["tokens"][steps, batch], fed))
    elif name := input_of(trace):
        lines += _lines(name, trace.header.labels, trace.values(name)[steps, batch], fed, units)
    if "target" in trace.arrays:
        target = trace.arrays["target"][steps, batch]
        if target.ndim == 1:
            rows.append(_row("target", trace, target, taken))
        else:
            lines += _lines("target", (), target, taken, forecast)
    if "y" in trace.arrays:
        y = trace.arrays["y"][steps, batch]
        if any(row.name == "target" for row in rows):
            rows.append(_row("y", trace, y.argmax(axis=-1), present))
        elif _is_readable(trace, y):
            lines += _lines("y", (), y, present, forecast)
    rows = _judged(rows)
    if per_column > 1:
        nothing = np.zeros(0)
        lines = [
            replace(
                line,
                values=nothing,
                absent=nothing.astype(bool),
                plot=norm_plot_of(line.values, line.absent, timesteps, pixels, cells),
            )
            for line in lines
        ]
        rows = [_in_columns(row, per_column) for row in rows]
    return Signal(tuple(lines), tuple(rows))


def _judged(rows: list[TokenRow]) -> list[TokenRow]:
    """The rows, y with where it is wrong."""
    targets = next((row.tokens for row in rows if row.name == "target"), ())
    return [
        replace(row, wrong=tuple(bool(t) and t != y for t, y in zip(targets, row.tokens, strict=True)))
        if row.name == "y" and targets
        else row
        for row in rows
    ]


def _in_columns(row: TokenRow, per_column: int) -> TokenRow:
    """A row of which so many timesteps share a column."""
    starts = range(0, len(row.tokens), per_column)
    shared = [set(row.tokens[at : at + per_column]) - {""} for at in starts]
    tokens = (next(iter(tokens), "") if len(tokens) < 2 else SEVERAL for tokens in shared)
    wrong = tuple(any(row.wrong[at : at + per_column]) for at in starts) if row.wrong else ()
    return replace(row, tokens=tuple(tokens), wrong=wrong)


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


@query("t")
def signal_at(view: View) -> tuple[Line, ...]:
    """The lines of `signal` at the cursor's timestep alone."""
    return signal(view, view.cursor.t, view.cursor.t + 1).lines


def _lines(
    quantity: str,
    labels: tuple[str, ...],
    values: Array,
    present: Array,
    units: tuple[Array | None, Array | None],
) -> list[Line]:
    channels = values.shape[-1]
    if channels > MOST_CHANNELS:
        return [Line(f"‖{quantity}‖ of {channels}", quantity, norm(values), ~present)]
    names = labels if len(labels) == channels else tuple(f"{quantity}[{i}]" for i in range(channels))
    if channels == 1 and quantity in ("y", "target"):
        names = (quantity,)
    shift, scale = (
        np.full(channels, default) if own is None or own.shape != (channels,) else np.asarray(own)
        for own, default in zip(units, (0.0, 1.0), strict=True)
    )
    return [
        Line(name, quantity, values[:, i], ~present, float(shift[i]), float(scale[i]))
        for i, name in enumerate(names)
    ]


def _row(name: str, trace: Trace, ids: Array, present: Array) -> TokenRow:
    labels = trace.header.labels
    shown = (labels[i] if 0 <= i < len(labels) else str(i) for i in ids.tolist())
    return TokenRow(name, tuple(s if p else "" for s, p in zip(shown, present.tolist(), strict=True)))
