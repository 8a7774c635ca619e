"""The routes along which ∂L/∂c and ∂L/∂h come back to the timestep before, each computed on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.gradient_split import FROM_ABOVE, Route, Split, total
from lstmtui.arrays import Vector, norm
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.errors import UserError
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View

_STEPS_OF_ROUNDING = 64
_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@query("t")
def routes_at(view: View, notation: Notation = UNICODE) -> tuple[Split, ...]:
    """The split of dh, and of dc where there is one, at the timestep before the cursor.

    Of the selected layer, direction and sequence, in float64, from what was recorded.

    Raises:
        UserError: the trace has no gradients, or not the layer's parameters; or the model's own loop
            changed the state between the two timesteps, so that there are routes the trace does not hold.
    """
    step = _Step(view, notation)
    step.check()
    with np.errstate(all="ignore"):
        return tuple(_split(step, state) for state in view.cell.states)


class _Step:
    """The timestep at the cursor and the one before: their vectors, and the layer's parameters."""

    def __init__(self, view: View, notation: Notation) -> None:
        cursor = view.cursor
        self.notation, self.cell, self.trace = notation, view.cell, view.trace
        self.place, self.batch, self.t = (cursor.layer, cursor.direction), cursor.batch, cursor.t
        self.hidden_size = view.layer.hidden_size
        self.previous = cursor.t + (1 if cursor.direction == "backward" else -1)
        self.length = int(lengths_of(self.trace, cursor.layer)[cursor.batch])
        self.is_first = not 0 <= self.previous < self.length
        """The state before is the initial one, which no equation made."""
        self._parameters = self.trace.layer_parameters(*self.place)

    def check(self) -> None:
        """Refuse a timestep whose routes do not end in the states of the timestep before."""
        if self.t >= self.length:
            raise UserError(f"t={self.t}: this layer has t=0 to t={self.length - 1} of this sequence")
        for state in () if self.is_first else self.cell.states:
            before = self.trace.arrays.get(array_key("before/" + state, *self.place))
            if before is not None and (before[self.t, self.batch] != self.before(state)).any():
                raise UserError(
                    f"the model's own loop changed {state} between t={self.previous} and t={self.t}: "
                    "what of the gradient comes back through that is not in the trace"
                )

    def now(self, quantity: str) -> Vector:
        """A quantity at the cursor, (units,)."""
        return np.asarray(self.trace.values(quantity, *self.place)[self.t, self.batch], np.float64)

    def before(self, quantity: str) -> Vector:
        """A quantity at the timestep before, or an initial state or its derivative, (units,)."""
        if self.is_first:
            return np.asarray(self.trace.initial(quantity, *self.place)[self.batch], np.float64)
        return np.asarray(self.trace.values(quantity, *self.place)[self.previous, self.batch], np.float64)

    def parameter(self, base: str) -> Vector:
        """A parameter by base name."""
        if base not in self._parameters:
            raise UserError(f"{base}: not in this trace; the routes of the gradient need it")
        return np.asarray(self._parameters[base], np.float64)

    def recurrent_product(self, row: str, derivative: Vector) -> Vector:
        """Rᵀ · derivative with one gate's rows of R, (units of h,)."""
        start = self.cell.row(row) * self.hidden_size
        product: Vector = derivative @ self.parameter("weight_hh")[start : start + self.hidden_size]
        return product

    def at(self, name: str) -> str:
        """A name as it is written at the cursor: f₁₂."""
        return self.notation.at(name, self.t)

    def product(self, *factors: str) -> str:
        """Factors as they are written: f₁₂·dc₁₂."""
        return self.notation.times.join(factors)

    def transposed(self, name: str) -> str:
        """Rᵀ."""
        return name + ("^T" if self.notation.ascii else "ᵀ")


def _split(step: _Step, state: str) -> Split:
    routes = tuple(_into_c(step) if state == "c" else _into_h(step))
    whole = step.before("d" + state)
    rest = whole - total(routes, whole)
    rounding = _STEPS_OF_ROUNDING * _EPSILON.get(step.trace.header.dtype, _EPSILON["float32"])
    is_rounding = norm(rest) <= rounding * sum(norm(v) for v in (whole, *(r.values for r in routes)))
    if not is_rounding or (state == "h" and _is_read_from_above(step)):
        formula = f"d{state} {step.notation.minus} the others"
        routes = (*routes, Route(FROM_ABOVE, formula, rest))
    return Split(state, step.previous, whole, step.now("d" + state), step.t, routes)


def _is_read_from_above(step: _Step) -> bool:
    """Whether something above the recurrence reads h of the timestep before."""
    is_last = step.place[0] == len(step.trace.layers) - 1
    if step.is_first:
        return False
    mask = step.trace.arrays.get("mask")
    return not is_last or mask is None or bool(mask[step.previous, step.batch])


def _into_c(step: _Step) -> Iterator[Route]:
    """The routes from the timestep at the cursor, and from h of the timestep before, into c before."""
    yield Route("carry f", step.product(step.at("f"), step.at("dc")), step.now("f") * step.now("dc"))
    if not step.is_first:
        yield _through_output_gate(step)
    for gate in step.cell.peepholes:
        if gate != "o":
            text = step.product(f"w_c{gate}", step.at(f"d{gate}_pre"))
            yield Route(
                f"peephole {gate}", text, step.parameter(f"weight_c{gate}") * step.now(f"d{gate}_pre")
            )
        elif not step.is_first:  # o sees the new c, of its own timestep
            text = step.product("w_co", step.notation.at("do_pre", step.previous))
            yield Route("peephole o", text, step.parameter("weight_co") * step.before("do_pre"))


def _through_output_gate(step: _Step) -> Route:
    """dh ⊙ o ⊙ (1 − tanh² c), all of the timestep before; through W_hr where h is a projection."""
    written = step.notation
    dh, o, c = (written.at(name, step.previous) for name in ("dh", "o", "c"))
    values = step.before("dh")
    if step.trace.layers[step.place[0]].proj_size:
        values, dh = values @ step.parameter("weight_hr"), step.product(step.transposed("W_hr"), dh)
    squared = f"tanh({c})^2" if written.ascii else f"tanh²({c})"
    text = step.product(dh, o, f"(1 {written.minus} {squared})")
    return Route("output gate", text, values * step.before("o") * (1 - np.tanh(step.before("c")) ** 2))


def _into_h(step: _Step) -> Iterator[Route]:
    """The routes from the timestep at the cursor into h of the one before."""
    if "z" in step.cell.rows:
        yield Route("carry z", step.product(step.at("z"), step.at("dh")), step.now("z") * step.now("dh"))
    for pre in (q for q in step.cell.quantities if q.endswith("_pre")):
        gate = pre.removesuffix("_pre")
        row = gate if gate in step.cell.rows else ""
        name = f"R_{row}" if row else "R"
        factors = [step.transposed(name), step.at("d" + pre)]
        derivative = step.now("d" + pre)
        if gate == "n" and step.cell.name == "gru":  # r acts on R_n·h
            values = step.recurrent_product(row, derivative * step.now("r"))
            factors[1] = f"({step.product(factors[1], step.at('r'))})"
        else:
            values = step.recurrent_product(row, derivative)
            if gate == "n":  # r acts on h, before R_n
                values, factors = values * step.now("r"), [step.at("r"), *factors]
        yield Route(name, step.product(*factors), values)
