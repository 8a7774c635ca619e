"""What `set` and `loss` ask for, held against the trace they are asked of."""

from __future__ import annotations

from lstmtui.closest import closest
from lstmtui.errors import UserError
from lstmtui.session.language.command import Change
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.view import Cursor


def edit_of(change: Change, number: int, trace: Trace, cursor: Cursor) -> Edit:
    """A what-if at what is selected.

    Args:
        change: what is asked for; its unit may count from the last.
        number: the number it is listed under.
        trace: the recorded run.
        cursor: which model, layer, direction and sequence is selected.

    Raises:
        UserError: the layer has no such quantity or unit, or the sequence no such timestep.
    """
    name = change.quantity
    _check_quantity(name, trace, cursor)
    last = int(trace.lengths[cursor.batch]) - 1
    start = 0 if change.start is None else _timestep(change.start, last)
    stop = last if change.stop is None else _timestep(change.stop, last)
    if stop < start:
        raise UserError(f"the last timestep, {stop}, is before the first, {start}")
    size = trace.arrays["y"].shape[-1] if name == "y" else trace.layers[cursor.layer].size(name)
    unit = None if change.unit is None else _unit(change.unit, name, size)
    everywhere = name in ("x", "y")
    return Edit(
        number,
        cursor.model,
        0 if everywhere else cursor.layer,
        "forward" if everywhere else cursor.direction,
        cursor.batch,
        name,
        unit,
        change.value,
        start,
        stop,
    )


def loss_place(t: int, unit: int | None, trace: Trace, cursor: Cursor) -> LossAt:
    """Where the gradients are taken: of y, or of h of the last layer where y is not the cells' or a head's.

    Raises:
        UserError: there is no such timestep or unit.
    """
    t = _timestep(t, int(trace.lengths[cursor.batch]) - 1)
    last = trace.layers[-1]
    size = last.size("h") * len(last.directions)
    name = "h"
    if trace.header.output_kind == "head":
        name, size = "y", trace.arrays["y"].shape[-1]
    return LossAt(t, cursor.batch, None if unit is None else _unit(unit, name, size))


def _check_quantity(name: str, trace: Trace, cursor: Cursor) -> None:
    cell = trace.cell(cursor.layer)
    if name == "x" and cursor.layer:
        below = cursor.layer - 1
        raise UserError(f"x of layer {cursor.layer} is h of layer {below}: set that, or x of layer 0")
    if name == "y" and (trace.header.output_kind == "custom" or "y" not in trace.arrays):
        raise UserError("y: it was made by code of the model's own, which the trace does not hold")
    settable = ("x", *cell.quantities, "y")
    if name in settable:
        return
    if name.startswith("d") and name[1:] in settable:
        raise UserError(f"{name} is a derivative; only what the cell computes can be set")
    near = closest(name, settable)
    meant = f"; did you mean {near}?" if near else ""
    raise UserError(f"{name}: the cell {cell.name} has {', '.join(settable[:-1])}{meant}")


def _timestep(t: int, last: int) -> int:
    if not 0 <= t <= last:
        raise UserError(f"t={t}: this sequence has t=0 to t={last}")
    return t


def _unit(unit: int, name: str, size: int) -> int:
    if not -size <= unit < size:
        raise UserError(f"unit {unit}: {name} has units 0 to {size - 1}")
    return unit % size
