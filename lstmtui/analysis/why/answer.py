"""The question why a number is what it is, and which kind of ledger answers it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstmtui.analysis.why.equation import EquationLedger
from lstmtui.analysis.why.follow import h_below, source_of
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import SET, Ledger, Part, Place
from lstmtui.analysis.why.output import loss_ledger, output_ledger
from lstmtui.analysis.why.read_later import by_reading
from lstmtui.analysis.why.routes import Routes
from lstmtui.analysis.why.source_line import source_ledger
from lstmtui.analysis.why.state import state_ledger
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View
from lstmtui.wording import numbered

LISTED = 20
"""So many parts are listed where nobody says."""


@query()
def why(
    view: View, quantity: str, t: int, unit: int, most: int = LISTED, notation: Notation = UNICODE
) -> Ledger:
    """What a number of the selected layer, direction and sequence is made of.

    Args:
        view: the run.
        quantity: a quantity, `d` + one, or loss; "written c" is what was written to c, "routes dc" is dc by
            the routes that it came along.
        t: the timestep.
        unit: which unit.
        most: so many parts are listed, the largest; the others come to one number.
        notation: Unicode or ASCII.

    Raises:
        UserError: there is no such number, or nothing was recorded that it could be made of.
    """
    cursor = view.cursor
    place = Place(quantity, t, unit, cursor.layer, cursor.direction, cursor.batch)
    return ledger_at(view.trace, place, notation, most, is_quick=True)


def why_of(
    trace: Trace,
    quantity: str,
    t: int,
    unit: int,
    layer: int,
    direction: str,
    batch: int,
    most: int | None,
) -> Ledger:
    """The ledger for a run in this process, with all parts; layers, timesteps and units may be negative."""
    layers = len(trace.layers)
    if not -layers <= layer < layers:
        raise UserError(f"layer {layer}: this trace has {numbered(layers, 'layer')}")
    if not 0 <= batch < trace.batch:
        raise UserError(f"batch {batch}: this run has {numbered(trace.batch, 'sequence')}")
    length = int(lengths_of(trace, layer % layers)[batch])
    place = Place(quantity, t + length if -length <= t < 0 else t, unit, layer % layers, direction, batch)
    return ledger_at(trace, place, most=most)


def ledger_at(
    trace: Trace,
    place: Place,
    notation: Notation = UNICODE,
    most: int | None = None,
    *,
    is_quick: bool = False,
) -> Ledger:
    """The ledger for a place; see `why`.

    Args:
        trace: the run.
        place: the number.
        notation: Unicode or ASCII.
        most: so many parts are listed; None: all.
        is_quick: whether somebody waits: then what would take long comes to one part.
    """
    layer = trace.layers[place.layer]
    if place.quantity == "loss":
        return loss_ledger(trace, place, most)
    numbers = LayerNumbers(trace, place.layer, place.direction, place.batch, place.t)
    if not 0 <= place.t < numbers.length:
        raise UserError(f"t={place.t}: this sequence has t=0 to t={numbers.length - 1}")
    name = place.quantity.rpartition(" ")[2]
    size = trace.values(name, place.layer, place.direction).shape[-1]
    if size == 1 and layer.source is None:
        place = replace(place, unit=0)
    if not 0 <= place.unit < size:
        raise UserError(f"unit {place.unit}: {name} has {numbered(size, 'unit')}")
    if layer.source is not None:
        return source_ledger(trace, place, notation)
    copied = source_of(trace, place)
    if copied != place:
        return ledger_at(trace, copied, notation, most, is_quick=is_quick)
    with np.errstate(all="ignore"):
        return _ledger(numbers, place, notation, most, is_quick=is_quick)


def _ledger(
    numbers: LayerNumbers, place: Place, notation: Notation, most: int | None, *, is_quick: bool
) -> Ledger:
    trace, cell = numbers.trace, numbers.cell
    word, _, name = place.quantity.rpartition(" ")
    if word == "written":
        return _written(numbers, place, notation, most)
    if name == "y":
        return output_ledger(trace, place, notation, most)
    if name == "x":
        return _input(numbers, place, notation)
    if name in cell.quantities:
        if name in cell.keeping:
            return state_ledger(numbers, place, notation, most)
        at = numbers.time(place.t)
        value = float(numbers.recorded(name, at, at + 1, place.unit)[0])
        return EquationLedger(numbers, place, notation).made(numbers.definitions[name], value, most)
    if name == "dy":
        value = float(trace.arrays["dy"][place.t, place.batch, place.unit])
        text = f"the loss: {printable(trace.header.loss_text) or 'a function of the model’s own'}"
        return ledger_of(place, value, [Part(text, value, t=place.t)], kind="origin")
    if word != "routes" and name.removeprefix("d") in cell.states:
        return by_reading(numbers, place, notation, most, is_quick=is_quick)
    return Routes(numbers, place, notation).ledger(most)


def _written(numbers: LayerNumbers, place: Place, notation: Notation, most: int | None) -> Ledger:
    """What was written to a state: the factors of it."""
    state = place.quantity.rpartition(" ")[2]
    keeping = numbers.cell.keeping.get(state)
    if keeping is None or keeping.written is None:
        what = "nothing is written to it" if keeping is not None else "no factor keeps it"
        raise UserError(f"written {state}: {what}; `why {state}` has its equation")
    return EquationLedger(numbers, place, notation).made(keeping.written, None, most)


def _input(numbers: LayerNumbers, place: Place, notation: Notation) -> Ledger:
    """A channel of the input: where it was made, as far as that was recorded."""
    trace, at = numbers.trace, numbers.time(place.t)
    value = float(numbers.recorded("x", at, at + 1, place.unit)[0])
    if numbers.is_set("x", at, place.unit):
        return ledger_of(place, value, [Part(SET, value, t=place.t)], kind="origin")
    below = h_below(trace, place)
    if below is not None:
        h = float(trace.values("h", below.layer, below.direction)[below.t, below.batch, below.unit])
        made = notation.number(h)
        text = f"what lies between the layers made it of h[{below.unit}] of layer {below.layer}, {made}"
        return ledger_of(place, value, [Part(text, value, (), place.t, below)], kind="origin")
    labels, tokens = trace.header.labels, trace.arrays.get("tokens")
    text = "the input"
    if tokens is not None:
        token = int(tokens[place.t, place.batch])
        text += f", token {printable(repr(labels[token])) if token < len(labels) else token}"
    elif len(labels) == numbers.layer.input_size and place.layer == 0:
        text += f", {printable(labels[place.unit])}"
    return ledger_of(place, value, [Part(text, value, t=place.t)], kind="origin")
