"""A number by the equation that made it: the factors of a product, the addends of a sum, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstmtui.analysis.equations import timestep_before
from lstmtui.analysis.why.follow import initial_place, source_of
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import SET, Factor, Kind, Ledger, Part, Place
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.arrays import Vector
from lstmtui.cells.addends import Addend, addends_of, has_matrix, opened
from lstmtui.cells.arithmetic import EPSILON
from lstmtui.cells.notation import Notation
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term, symbols_in


class EquationLedger:
    """The parts of one number of a timestep.

    Args:
        numbers: of the layer, direction and sequence.
        asked: the number.
        notation: Unicode or ASCII signs.
    """

    def __init__(self, numbers: LayerNumbers, asked: Place, notation: Notation) -> None:
        self.numbers, self.asked, self.notation = numbers, asked, notation
        self.at = numbers.time(asked.t)

    def made(self, term: Term, value: float | None, most: int | None) -> Ledger:
        """The ledger of what a term gives.

        Args:
            term: what defines the number, or what is written to a state.
            value: as it was recorded; None: nothing is recorded under a name.
            most: so many parts are listed.

        Raises:
            UserError: the trace does not hold a parameter.
        """
        asked, at = self.asked, self.at
        computed = self._value(term)
        value = computed if value is None else value
        inside = opened(term)
        addends = addends_of(inside.inside)
        equation = f"{self._name(asked.quantity)} = {self._timed(term, expand=True)}"
        of, whole = "", value
        if inside.functions:
            of = f"{inside.name}[{asked.unit}]" if inside.name else self._written(inside.inside)
            whole = self._value(inside.inside)
            if inside.name:
                whole = float(self.numbers.recorded(inside.name, at, at + 1, asked.unit)[0])
        is_product = len(addends) == 1 and not any(_is_linear(f) for f in addends[0].factors)
        parts = list(self._factors(addends[0]) if is_product else self._addends(addends))
        kind: Kind = "product" if is_product and len(parts) > 1 else "sum"
        ledger = ledger_of(
            asked, value, parts, kind=kind, equation=equation, of=of, whole=whole, most=most
        )  # fmt: skip
        return self._unless_set(ledger, value, computed, inside.name)

    def _unless_set(self, ledger: Ledger, value: float, computed: float, name: str) -> Ledger:
        """The ledger, or the one part of a number that a what-if has put in place."""
        asked, part = self.asked, Part(SET, value, t=self.asked.t)
        if self.numbers.is_set(asked.quantity, self.at, asked.unit):
            note = f"its equation would make it {self.notation.number(computed)}"
            return ledger_of(asked, value, [part], equation=ledger.equation, notes=[note])
        if name and self.numbers.is_set(name, self.at, asked.unit):
            part = replace(part, value=ledger.whole)
            return replace(
                ledger_of(asked, value, [part], equation=ledger.equation),
                of=ledger.of, whole=ledger.whole,
            )  # fmt: skip
        return ledger

    # The parts.

    def _factors(self, addend: Addend) -> Iterator[Part]:
        if addend.is_subtracted:
            yield Part(self.notation.minus + "1", -1.0)
        for factor in addend.factors:
            place, stays = self._lead(factor), not _has_factor(factor)
            yield Part(self._timed(factor), self._value(factor), (), self.asked.t, place, stays=stays)

    def _addends(self, addends: tuple[Addend, ...]) -> Iterator[Part]:
        for addend in addends:
            names = [factor.text for factor in addend.factors if factor.role == "parameter"]
            if not all(map(self.numbers.has_parameter, names)):
                continue
            linear = next((factor for factor in addend.factors if _is_linear(factor)), None)
            if linear is None:
                yield self._addend(addend)
            else:
                yield from self._products(addend, linear)

    def _addend(self, addend: Addend) -> Part:
        factors = [Factor(self._timed(f), self._value(f)) for f in addend.factors]
        sign = -1.0 if addend.is_subtracted else 1.0
        with np.errstate(all="ignore"):
            value = float(np.prod([sign, *(factor.value for factor in factors)]))
        words = self.notation.times.join(_bracketed(factor.text) for factor in factors)
        places = [(not _has_factor(f), self._lead(f)) for f in addend.factors]
        # Into what is a factor itself, so that the part can be taken out, where there is such a one.
        stays, lead = min((p for p in places if p[1] is not None), key=lambda p: p[0], default=(False, None))
        return Part(
            (self.notation.minus if addend.is_subtracted else "") + words,
            value,
            tuple(factors) if len(factors) > 1 else (),
            self.asked.t,
            lead,
            stays=stays,
        )

    def _products(self, addend: Addend, linear: Term) -> Iterator[Part]:
        """A product with a matrix, one part for each column: R_f[3, 5]·h[5]."""
        others = [factor for factor in addend.factors if factor is not linear]
        scale = -1.0 if addend.is_subtracted else 1.0
        before = [Factor(self._timed(factor), self._value(factor)) for factor in others]
        product = linear.parts[0] if linear.kind == "layer_norm" else linear
        matrix, operand = product.parts
        weights, name = self.numbers.matrix(matrix.text)[self.asked.unit], matrix.text
        if linear.kind == "layer_norm":
            # (W x − its mean) / s is linear in x once s is known: each weight without its column's mean.
            weights = weights - self.numbers.matrix(matrix.text).mean(axis=0)
            before.append(Factor("1/deviation", 1 / self._deviation(product)))
            name = f"({name}{self.notation.minus}mean)"
        vector = self.numbers.whole(operand, self.at, self.at + 1)[0]
        for factor in before:
            scale *= factor.value
        with np.errstate(all="ignore"):
            values = scale * weights * vector
        lead, written = _main_symbol(operand), self._timed(operand)
        minus = self.notation.minus if addend.is_subtracted else ""
        front = minus + "".join(_bracketed(f.text) + self.notation.times for f in before)
        for column in self._columns(matrix, len(weights)):
            factors = (*before, Factor(name, float(weights[column])), Factor(written, float(vector[column])))
            yield Part(
                f"{front}{name}[{self.asked.unit}, {column}]{self.notation.times}{_unit(written, column)}",
                float(values[column]),
                factors,
                self.asked.t,
                self._lead_to(lead, column) if lead is not None else None,
                stays=not _has_factor(operand),
            )

    def _columns(self, matrix: Term, count: int) -> range:
        """The columns that the unit's row has: of a block-diagonal matrix those of its block."""
        shape = self.numbers.parameter(matrix.text).shape
        if len(shape) < 3:
            return range(count)
        block = self.asked.unit // shape[1]
        return range(block * shape[2], (block + 1) * shape[2])

    def _deviation(self, term: Term) -> float:
        values: Vector = self.numbers.whole(term, self.at, self.at + 1)[0]
        return float(np.sqrt(np.mean((values - values.mean()) ** 2) + EPSILON))

    # Values, texts and where they lead.

    def _value(self, term: Term) -> float:
        return float(self.numbers.column(term, self.at, self.at + 1, self.asked.unit)[0])

    def _lead(self, term: Term) -> Place | None:
        # What a product with a matrix is inside of, such as tanh(W·x), comes from every unit.
        symbol = None if has_matrix(term) else _main_symbol(term)
        return None if symbol is None else self._lead_to(symbol, self.asked.unit)

    def _lead_to(self, symbol: Term, unit: int) -> Place | None:
        """Where a number that an equation reads was made."""
        at = self.at - 1 if symbol.definition is None and symbol.role != "x" else self.at
        unit = unit if self.numbers.layer.size(symbol.role) > 1 else 0
        if at < 0:
            return initial_place(self.numbers, symbol.role, unit)[0]
        if at < self.at and self.numbers.was_changed(symbol.role, self.at):
            return None
        place = self.asked.at(symbol.role, self.numbers.time(at), unit)
        return source_of(self.numbers.trace, place)

    def _name(self, quantity: str) -> str:
        word, _, name = quantity.rpartition(" ")
        return f"{word} {self.notation.at(name, self.asked.t)}".strip()

    def _written(self, term: Term, *, expand: bool = False) -> str:
        return text(render(term, self.notation, numeric=False, expand=expand))

    def _timed(self, term: Term, *, expand: bool = False) -> str:
        """A term as it is written, states with the timestep that they are of."""
        return self._written(self._with_times(term), expand=expand)

    def _with_times(self, term: Term) -> Term:
        if term.kind == "symbol" and term.role in self.numbers.cell.states:
            t = self.asked.t
            t = t if term.definition is not None else timestep_before(t, self.numbers.place[1])
            return replace(term, text=self.notation.at(term.role, t))
        if term.role.endswith("_pre") and term.definition is not None:  # what may be written in its place
            return replace(term, definition=self._with_times(term.definition))
        return replace(term, parts=tuple(self._with_times(part) for part in term.parts))


def _is_linear(term: Term) -> bool:
    """Whether it is a sum over the columns of a matrix, once its deviation is known."""
    return term.kind == "@" or (term.kind == "layer_norm" and term.parts[0].kind == "@")


def _main_symbol(term: Term) -> Term | None:
    """The quantity that a term is mostly made of: the first that is no parameter."""
    return next((symbol for symbol in symbols_in(term) if symbol.role != "parameter"), None)


def _has_factor(term: Term) -> bool:
    """Whether the quantity that a term is mostly made of is a factor of it."""
    if term.kind in ("*", "/", "neg"):
        return _has_factor(next((p for p in term.parts if _main_symbol(p) is not None), term.parts[0]))
    return term.kind == "symbol" and term.role != "parameter"


def _bracketed(words: str) -> str:
    return f"({words})" if " " in words and not words.endswith(")") else words


def _unit(written: str, unit: int) -> str:
    return f"{_bracketed(written)}[{unit}]"
