"""The output and the loss as sums: y over the units of h that a head reads, the loss over timesteps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.why.ledger import SET, Factor, Ledger, Part, Place
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.arrays import Array
from lstmtui.cells.notation import Notation
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import LossAt

_OWN_CODE = "code of the model's own, which the trace does not hold"


def output_ledger(trace: Trace, asked: Place, notation: Notation, most: int | None) -> Ledger:
    """y of a head by the units of h that it reads.

    Raises:
        UserError: code of the model's own made it.
    """
    value = float(trace.arrays["y"][asked.t, asked.batch, asked.unit])
    if trace.header.output_kind != "head":
        raise UserError(f"y was made by {_OWN_CODE}")
    weights = np.asarray(trace.arrays["parameters/head.weight"], np.float64)[asked.unit]
    bias = float(trace.arrays["parameters/head.bias"][asked.unit])
    last = len(trace.layers) - 1
    parts, column = [Part("head.bias", bias, t=asked.t)], 0
    for direction in trace.layers[last].directions:
        h = np.asarray(trace.values("h", last, direction)[asked.t, asked.batch], np.float64)
        for unit, number in enumerate(h.tolist()):
            written = f"{notation.at('h', asked.t)}[{unit}]"
            place = Place("h", asked.t, unit, last, direction, asked.batch)
            weight = float(weights[column])
            factors = (Factor("head", weight), Factor(written, number))
            words = f"head[{asked.unit}, {column}]{notation.times}{written}"
            parts.append(Part(words, weight * number, factors, asked.t, place))
            column += 1
    if _is_set(trace, asked):
        parts = [Part(SET, value, t=asked.t)]
    y = notation.at("y", asked.t)
    return ledger_of(asked, value, parts, equation=f"{y} = head{notation.times}h + head.bias", most=most)


def loss_ledger(trace: Trace, asked: Place, most: int | None) -> Ledger:
    """The loss by the timesteps that it is taken of, of every sequence; of one timestep alone by its units.

    Raises:
        UserError: it is a function that the trace does not hold.
    """
    header = trace.header
    if not header.loss_is_known:
        raise UserError("the value of the loss was not recorded")
    if header.loss_at is not None:
        parts = list(_at(trace, header.loss_at))
    else:
        parts = list(_last_hidden(trace) if header.loss_kind == "last_hidden" else _of_y(trace))
    return ledger_of(asked, trace.loss, parts, equation=f"loss = {header.loss_text}", most=most)


def _at(trace: Trace, at: LossAt) -> Iterator[Part]:
    """The units that the loss is the sum of."""
    last, kind = len(trace.layers) - 1, trace.header.output_kind
    is_recorded_code = trace.layers[last].source is not None
    if at.quantity:
        values, lead = (
            trace.values(at.quantity, at.layer),
            Place(at.quantity, at.t, 0, at.layer, "forward", at.batch),
        )
        numbers = [(lead.at(at.quantity, unit=unit), value) for unit, value in _units(values, at)]
    elif kind == "custom" and not is_recorded_code:
        numbers = [
            (Place("h", at.t, unit, last, direction, at.batch), value)
            for direction in trace.layers[last].directions
            for unit, value in _units(trace.values("h", last, direction), at)
        ]
    else:
        numbers = [(_y_place(trace, at.t, u, at.batch), value) for u, value in _units(trace.arrays["y"], at)]
    name = at.quantity or ("y" if kind == "head" or is_recorded_code else "h")
    for unit, (place, value) in enumerate(numbers):
        if at.unit in (None, unit):
            yield Part(f"{name}[{unit}] at t={at.t}", value, (), at.t, place)


def _units(values: Array, at: LossAt) -> Iterator[tuple[int, float]]:
    return enumerate(np.asarray(values[at.t, at.batch], np.float64).ravel().tolist())


def _last_hidden(trace: Trace) -> Iterator[Part]:
    last = len(trace.layers) - 1
    for batch, length in enumerate(np.asarray(trace.lengths).tolist()):
        for direction in trace.layers[last].directions:
            t = 0 if direction == "backward" else length - 1
            h = np.asarray(trace.values("h", last, direction)[t, batch], np.float64)
            for unit, number in enumerate(h.tolist()):
                place = Place("h", t, unit, last, direction, batch)
                where = f" of sequence {batch}" if trace.batch > 1 else ""
                side = f" {direction}" if len(trace.layers[last].directions) > 1 else ""
                yield Part(f"h[{unit}]{side} at t={t}{where}", number, (), t, place)


def _of_y(trace: Trace) -> Iterator[Part]:
    kind, y = trace.header.loss_kind, trace.arrays.get("y")
    if kind == "custom" or y is None or trace.header.output_kind == "custom":
        raise UserError(f"the loss was taken by {_OWN_CODE}")
    mask = np.asarray(trace.arrays["mask"], bool)
    values = np.asarray(y, np.float64)
    target = trace.arrays.get("target")
    terms = _terms(kind, values[mask], None if target is None else np.asarray(target)[mask])
    for (t, batch), each in zip(np.argwhere(mask).tolist(), terms, strict=True):
        unit = int(np.argmax(np.abs(each))) if len(each) > 1 else 0
        where = f" of sequence {batch}" if trace.batch > 1 else ""
        if kind == "cross_entropy" and target is not None:
            unit = int(target[t, batch])
        place = _y_place(trace, t, unit, batch)
        yield Part(f"{kind.replace('_', ' ')} at t={t}{where}", float(each.sum()), (), t, place)


def _terms(kind: str, y: Array, target: Array | None) -> Array:
    """What each timestep adds to the loss, by output, (timesteps, outputs)."""
    with np.errstate(all="ignore"):
        if target is None or kind == "sum":
            return y
        if kind == "cross_entropy":
            highest = y.max(axis=-1, keepdims=True)
            log_sum = highest[:, 0] + np.log(np.exp(y - highest).sum(axis=-1))
            picked = y[np.arange(len(y)), target.astype(np.int64)]
            return np.asarray((log_sum - picked)[:, None] / max(1, len(y)))
        wanted = target.astype(np.float64).reshape(y.shape)
        if kind == "bce":
            # max(y, 0) − y·target + log(1 + exp(−|y|)), as PyTorch's with logits
            each = np.maximum(y, 0) - y * wanted + np.log1p(np.exp(-np.abs(y)))
        else:
            each = (y - wanted) ** 2
        return np.asarray(each / max(1, y.size))


def _y_place(trace: Trace, t: int, unit: int, batch: int) -> Place:
    """y, or the h that it is a copy of."""
    from lstmtui.analysis.why.follow import source_of

    last = len(trace.layers) - 1
    return source_of(trace, Place("y", t, unit, last, trace.layers[last].directions[0], batch))


def _is_set(trace: Trace, asked: Place) -> bool:
    return any(
        edit.quantity == "y" and edit.batch == asked.batch and edit.sets(asked.t, asked.unit)
        for edit in trace.header.edits
    )
