"""Checks what `set` and `loss` ask for against the trace."""

from __future__ import annotations

from math import isinf, prod

from lstmtui.cells.notation import plain
from lstmtui.closest import closest
from lstmtui.errors import UserError
from lstmtui.expressions.fitting import axes_text
from lstmtui.session.language.command import Change
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.view import Cursor
from lstmtui.wording import numbered


def edit_of(change: Change, number: int, trace: Trace, cursor: Cursor) -> Edit:
    """The edit that a `set` makes at what is selected.

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
    layer = trace.layers[cursor.layer]
    is_output = name == "y" and name not in layer.quantities
    shape = (trace.arrays["y"].shape[-1],) if is_output else layer.shape(name) or (layer.size(name),)
    unit = None if change.unit is None else unit_by_axes(change.unit, name, shape)
    everywhere = layer.source is None and name in ("x", "y")
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


def out_of_range(edit: Edit, trace: Trace) -> str:
    """What a value lies beyond that the cell's own equation never leaves, in words; empty where it does not.

    Such a value is set all the same: it is what nobody could have recorded that a what-if is for.
    """
    layer, cell = trace.layers[edit.layer], trace.cell(edit.layer)
    if layer.source is not None or edit.quantity not in cell.quantities:
        return ""
    low, high = cell.range(edit.quantity)
    if not (edit.value < low or edit.value > high):
        return ""
    kind = "a gate" if cell.in_unit_interval(edit.quantity) else f"{edit.quantity} of the cell {cell.name}"
    lies = f"in ({low:g}, {high:g})"
    if isinf(high):
        lies = f"at {low:g} or above"
    elif isinf(low):
        lies = f"at {high:g} or below"
    return f"{kind} lies {lies}, {plain(edit.value)} does not"


def loss_place(t: int, name: str | None, unit: int | None, trace: Trace, cursor: Cursor) -> LossAt:
    """Where the gradients are taken: of y, or of h of the last layer where y is not the cells' or a head's.

    Of recorded code it is what it returned for each timestep, else the state that it binds last, or the
    variable of the selected layer that is named.

    Raises:
        UserError: there is no such timestep, unit or variable.
    """
    t = _timestep(t, int(trace.lengths[cursor.batch]) - 1)
    if any(layer.source is not None for layer in trace.layers):
        return _loss_of_code(t, name, unit, trace, cursor)
    last = trace.layers[-1]
    own, size = "h", last.size("h") * len(last.directions)
    if trace.header.output_kind == "head":
        own, size = "y", trace.arrays["y"].shape[-1]
    if name not in (None, own):
        raise UserError(f"{name}: the gradients of this model are of {own} at one timestep")
    return LossAt(t, cursor.batch, None if unit is None else _unit(unit, own, size))


def _loss_of_code(t: int, name: str | None, unit: int | None, trace: Trace, cursor: Cursor) -> LossAt:
    layer = cursor.layer
    if name in (None, "y") and "y" in trace.arrays:
        size = trace.arrays["y"].shape[-1]
        return LossAt(t, cursor.batch, None if unit is None else _unit(unit, "y", size))
    if name is None and trace.layers[layer].source is None:
        layer = max(number for number, own in enumerate(trace.layers) if own.source is not None)
    source = trace.layers[layer].source
    if source is None:
        raise UserError(
            f"{name}: this layer is none of recorded code; select one that is, or leave out the name"
        )
    variables = [variable for variable in source.variables if not variable.absent]
    states = [variable for variable in variables if variable.carried_to]
    chosen = [v for v in variables if v.name == name] if name else (states or variables)[-1:]
    if not chosen:
        names = [variable.name for variable in variables]
        near = closest(name or "", names)
        meant = f"; did you mean {near}?" if near else ""
        raise UserError(f"{name}: gradients can be taken of {', '.join(names) or 'nothing here'}{meant}")
    (variable,) = chosen
    place = None if unit is None else unit_by_axes(unit, variable.name, variable.shape)
    return LossAt(t, cursor.batch, place, layer, variable.name)


def _check_quantity(name: str, trace: Trace, cursor: Cursor) -> None:
    layer, cell = trace.layers[cursor.layer], trace.cell(cursor.layer)
    if layer.source is None and name == "x" and cursor.layer:
        below = cursor.layer - 1
        raise UserError(f"x of layer {cursor.layer} is h of layer {below}: set that, or x of layer 0")
    if (
        name == "y"
        and name not in layer.quantities
        and (trace.header.output_kind == "custom" or "y" not in trace.arrays)
    ):
        raise UserError("y: it was made by code of the model's own, which the trace does not hold")
    settable = (*layer.quantities, "y")
    if name in settable:
        return
    if name.startswith("d") and name[1:] in settable:
        raise UserError(f"{name} is a derivative; only what the cell computes can be set")
    near = closest(name, settable)
    meant = f"; did you mean {near}?" if near else ""
    raise UserError(f"{name}: the cell {cell.name} has {', '.join(layer.quantities)}{meant}")


def _timestep(t: int, last: int) -> int:
    if not 0 <= t <= last:
        raise UserError(f"t={t}: this sequence has t=0 to t={last}")
    return t


def unit_by_axes(unit: int | tuple[int, ...], name: str, shape: tuple[int, ...]) -> int:
    """The number of a unit that is given by its number, or by one along each axis."""
    if isinstance(unit, int):
        return _unit(unit, name, prod(shape))
    if len(unit) != len(shape):
        raise UserError(f"{name} has {axes_text(shape)}, not {len(unit)}")
    number = 0
    for axis, (index, size) in enumerate(zip(unit, shape, strict=True)):
        if not -size <= index < size:
            raise UserError(f"index {index}: axis {axis} of {name} has 0 to {size - 1}")
        number = number * size + index % size
    return number


def _unit(unit: int, name: str, size: int) -> int:
    if not -size <= unit < size:
        raise UserError(f"unit {unit}: {name} has {numbered(size, 'unit')}")
    return unit % size
