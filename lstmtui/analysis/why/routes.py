"""A total derivative by the routes that it came along: what reads the number, and what that passes back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.passages import fitted, passed
from lstmtui.analysis.rounding import rounding_of
from lstmtui.analysis.why.follow import h_below
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import Factor, Ledger, Part, Place, left_of
from lstmtui.analysis.why.state import written_text
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.arrays import Array, Vector
from lstmtui.cells.chain_rule import Passage, Way, ways_to
from lstmtui.cells.notation import Notation
from lstmtui.cells.readings import readings_of
from lstmtui.cells.terms import Term
from lstmtui.trace import Trace


class Routes:
    """The routes into one number of a layer, direction and sequence.

    Args:
        numbers: of the layer.
        asked: the derivative; its quantity begins with d.
        notation: Unicode or ASCII signs.
    """

    def __init__(self, numbers: LayerNumbers, asked: Place, notation: Notation) -> None:
        self.numbers, self.asked, self.notation = numbers, asked, notation
        self.at = numbers.time(asked.t)
        self.quantity = asked.quantity.rpartition(" ")[2].removeprefix("d")

    def ledger(self, most: int | None) -> Ledger:
        """The derivative as a sum over its routes, those through a matrix unit by unit.

        Raises:
            UserError: the trace does not hold a derivative or a parameter.
        """
        asked = self.asked
        derivative = "d" + self.quantity
        value = float(self.numbers.recorded(derivative, self.at, self.at + 1, asked.unit)[0])
        parts = list(self.parts())
        notes = list(self._notes())
        total = sum(part.value for part in parts)
        rest = left_of(value, total)
        size = sum(abs(part.value) for part in parts)
        if not abs(rest) <= rounding_of(self.numbers.trace) * (size + abs(value)) and self.quantity in (
            *self.numbers.cell.states, "x"
        ):  # fmt: skip
            text = "from what else reads it: the loss, or code of the model's own"
            parts.append(Part(text, rest, t=asked.t))
        sign = "d" if self.notation.ascii else "∂"
        name = self.notation.at(self.quantity, asked.t)
        equation = f"{sign}L/{sign}{name} by what reads {name}"
        return ledger_of(asked, value, parts, equation=equation, most=most, notes=notes)

    def parts(self) -> Iterator[Part]:
        """Every route that the equations or the layers above have."""
        if self.quantity == "x":
            for direction in self.numbers.layer.directions:
                place = (self.numbers.place[0], direction)
                other = LayerNumbers(self.numbers.trace, *place, self.numbers.batch, self.asked.t)
                at = other.time(self.asked.t)
                for name, term in other.definitions.items():
                    for way in ways_to(term, lambda symbol: symbol.role == "x"):
                        yield from self._along(other, name, way, at, direction)
            return
        cell, projected = self.numbers.cell, bool(self.numbers.layer.proj_size)
        if self.quantity in cell.states:
            for reading in readings_of(cell, self.quantity, self.notation, projected=projected):
                at = self.at + 1 if reading.is_later else self.at
                if at < self.numbers.length and not (
                    reading.is_later and self.numbers.was_changed(self.quantity, at)
                ):
                    yield from self._along(self.numbers, reading.quantity, reading.way, at)
        else:
            for name, term in self.numbers.definitions.items():
                for way in ways_to(term, self._is_asked):
                    yield from self._along(self.numbers, name, way, self.at)
        if self.quantity == cell.states[0]:
            yield from from_above(self.numbers, self.asked, self.notation)

    def _is_asked(self, symbol: Term) -> bool:
        return symbol.role == self.quantity and symbol.definition is not None

    def _along(
        self, numbers: LayerNumbers, quantity: str, way: Way, at: int, direction: str | None = None
    ) -> Iterator[Part]:
        """What comes back from one quantity's equation, by unit where it passes a matrix last."""
        unit, name = self.asked.unit, f"d{quantity}"
        values = numbers.vectors(name, at, at + 1)
        values = np.where(numbers.set_units(quantity, at, at + 1), 0.0, values)
        t = numbers.time(at)
        place = Place(name, t, unit, numbers.place[0], numbers.place[1], numbers.batch)
        matrices = [number for number, passage in enumerate(way) if passage.kind == "matrix"]
        split = matrices[-1] if matrices else len(way)
        for passage in way[:split]:
            values = passed(values, passage, lambda term: self._whole(numbers, term, at))
        written = self.notation.at(name, t)
        side = f" {direction}" if direction and len(numbers.layer.directions) > 1 else ""
        if matrices and not any(passage.kind == "layer_norm" for passage in way[split:]):
            yield from self._columns(numbers, way[split:], values[0], place, written + side, at)
            return
        for passage in way[split:]:
            values = passed(values, passage, lambda term: self._whole(numbers, term, at))
        units = numbers.layer.size(self.quantity)
        values = fitted(values, units)
        value = float(values[0][unit if units > 1 else 0])
        read_by = numbers.layer.size(quantity)
        if read_by <= unit:
            place = place.at(name, unit=0)
        yield Part(f"through {quantity}{side}: {self._text(way, written)}", value, (), t, place)

    def _columns(
        self, numbers: LayerNumbers, way: Way, values: Vector, place: Place, written: str, at: int
    ) -> Iterator[Part]:
        """A part for each unit of the product with a matrix: the derivative that comes back through it."""
        matrix = numbers.matrix(way[0].term.text)
        column = matrix[:, self.asked.unit]
        after, rest = np.ones(1), []
        for passage in way[1:]:
            passed_on = passed(
                np.ones((1, matrix.shape[1])), passage, lambda term: self._whole(numbers, term, at)
            )
            factor = float(np.broadcast_to(passed_on, (1, matrix.shape[1]))[0, self.asked.unit])
            after = after * factor
            rest.append(Factor(self._word(passage), factor))
        with np.errstate(all="ignore"):
            products = values * column * after
        name = way[0].term.text
        for unit in self._rows(numbers, name, len(values)):
            text = f"{name}[{unit}, {self.asked.unit}]{self.notation.times}{written}[{unit}]"
            factors = (Factor(name, float(column[unit])), Factor(written, float(values[unit])), *rest)
            yield Part(text, float(products[unit]), factors, place.t, place.at(place.quantity, unit=unit))

    def _rows(self, numbers: LayerNumbers, matrix: str, count: int) -> range:
        """The units whose row has the asked column: of a block-diagonal matrix those of its block."""
        shape = numbers.parameter(matrix).shape
        if len(shape) < 3:
            return range(count)
        block = self.asked.unit // shape[2]
        return range(block * shape[1], (block + 1) * shape[1])

    @staticmethod
    def _whole(numbers: LayerNumbers, term: Term, at: int) -> Array:
        return numbers.whole(term, at, at + 1)

    def _text(self, way: Way, written: str) -> str:
        return self.notation.times.join([written, *(self._word(passage) for passage in way)])

    def _word(self, passage: Passage) -> str:
        words = written_text(passage.term, self.notation)
        if passage.kind == "minus":
            return f"({self.notation.minus}1)"
        if passage.kind == "slope":
            return f"slope of {words}"
        return f"1/{words}" if passage.kind == "over" else words

    def _notes(self) -> Iterator[str]:
        numbers, after = self.numbers, self.at + 1
        is_state = self.quantity in numbers.cell.states
        if is_state and after < numbers.length and numbers.was_changed(self.quantity, after):
            t, name = numbers.time(after), self.quantity
            yield f"the model's own loop changed {name} before t={t}: what that brought is not told apart"


def from_above(numbers: LayerNumbers, asked: Place, notation: Notation) -> Iterator[Part]:
    """What the head, the output or the layer above brings to h of a timestep, as far as that is recorded."""
    trace, (layer, direction) = numbers.trace, numbers.place
    unit = asked.unit + numbers.layer.size("h") * numbers.layer.directions.index(direction)
    for upper in range(layer + 1, len(trace.layers)):
        if trace.layers[upper].source is not None:
            continue
        above = Place("x", asked.t, unit, upper, trace.layers[upper].directions[0], asked.batch)
        below = h_below(trace, above)
        if below is not None and (below.layer, below.direction) == (layer, direction):
            yield from _from_layer(trace, above, below, notation)
    if layer == len(trace.layers) - 1 and "dy" in trace.arrays:
        d_y = np.asarray(trace.arrays["dy"][asked.t, asked.batch], np.float64)
        if trace.header.output_kind == "hidden":
            yield Part("dy", float(d_y[unit]), (), asked.t, None)
        elif trace.header.output_kind == "head":
            weight = np.asarray(trace.arrays["parameters/head.weight"], np.float64)[:, unit]
            for output, (w, d) in enumerate(zip(weight.tolist(), d_y.tolist(), strict=True)):
                factors = (Factor("head", w), Factor("dy", d))
                text = f"head[{output}, {unit}]{notation.times}{notation.at('dy', asked.t)}[{output}]"
                yield Part(text, w * d, factors, asked.t, asked.at("dy", unit=output))


def _from_layer(trace: Trace, above: Place, below: Place, notation: Notation) -> Iterator[Part]:
    x, h = (trace.values(p.quantity, p.layer, p.direction)[p.t, p.batch, p.unit] for p in (above, below))
    if not np.array_equal(x, h, equal_nan=True):
        return  # something between the layers, such as dropout, passes it on
    values = trace.values("dx", above.layer, above.direction)[above.t, above.batch]
    name = f"{notation.at('dx', above.t)}[{above.unit}]"
    yield Part(f"layer {above.layer}: {name}", float(values[above.unit]), (), above.t, above.at("dx"))
