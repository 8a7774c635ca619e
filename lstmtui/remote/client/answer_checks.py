"""Whether an answer can be one to a query: its shapes, its lengths, and the places it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from lstmtui.analysis.bound_values import BoundValue, places_of
from lstmtui.analysis.divergence import Divergence
from lstmtui.analysis.first_bad.answer import FirstBad
from lstmtui.analysis.gradient_split import Split
from lstmtui.analysis.norm_plot import NormPlot
from lstmtui.analysis.reach import Horizon, Reach
from lstmtui.analysis.signal import Line, Signal
from lstmtui.analysis.unit_values import Numbers, Survivals
from lstmtui.analysis.windows import Window
from lstmtui.cells.formula import Equation
from lstmtui.cells.products import Products
from lstmtui.expressions.at_cursor import Expectation, VectorValue
from lstmtui.expressions.hits import Passed
from lstmtui.remote.client.cell_checks import are_node_values, is_weight_map
from lstmtui.remote.client.query_context import INTEGERS, MOST, NUMBERS, TRUTHS, QueryContext, is_array
from lstmtui.remote.client.verdict_checks import are_reads, has_place, is_diagnosis
from lstmtui.remote.client.why_checks import is_jacobian_map, is_jacobian_row, is_ledger, is_remains
from lstmtui.trace.lengths import lengths_of


def is_answer(name: str, context: QueryContext, answer: Any) -> bool:
    """Whether a query could have this answer.

    Args:
        name: of the query.
        context: the query.
        answer: of the type that the query's annotation says.

    Raises:
        UserError: the run has no such quantity, layer or direction.
    """
    check = CHECKS.get(name)
    return check is None or check(context, answer)


def _places(values: Any, count: int) -> bool:
    """Whether all are from 0 to before `count`."""
    return all(0 <= value < count for value in values)


def _window(context: QueryContext, answer: Window) -> bool:
    arguments, units = context.arguments, context.units
    rows = arguments.get("rows")
    per_row = 1 if rows is None else -(-units // max(1, rows))
    start, stop = arguments["start"], arguments["stop"]
    columns = -(-len(range(context.trace.steps)[start:stop]) // arguments.get("per_column", 1))
    facts = (answer.quantity, answer.start, answer.stop, answer.units, answer.units_per_row)
    return (
        facts == (arguments["quantity"], start, stop, units, per_row)
        and is_array(answer.values, NUMBERS, columns, -(-units // per_row))
        and is_array(answer.valid, TRUTHS, columns)
        and (answer.bound is None or is_array(answer.bound, TRUTHS, columns))
    )


def _limit(context: QueryContext, answer: float) -> bool:
    return isfinite(answer) and answer >= 0


def _signal(context: QueryContext, answer: Signal) -> bool:
    arguments = context.arguments
    shared = arguments.get("per_column", 1)
    columns = -(-(arguments["stop"] - arguments["start"]) // shared)
    values = columns if shared == 1 else 0
    return (
        len(answer.lines) + len(answer.rows) <= MOST
        and all(is_array(line.values, NUMBERS, values) for line in answer.lines)
        and all(is_array(line.absent, TRUTHS, values) for line in answer.lines)
        and all((line.plot is None) == (shared == 1) for line in answer.lines)
        and all(line.plot is None or _norm_plot(context, line.plot) for line in answer.lines)
        and all(len(row.tokens) == columns for row in answer.rows)
        and all(len(row.wrong) in (0, columns) for row in answer.rows)
    )


def _signal_at(context: QueryContext, answer: tuple[Line, ...]) -> bool:
    return len(answer) <= MOST and all(
        is_array(line.values, NUMBERS, 1) and is_array(line.absent, TRUTHS, 1) for line in answer
    )


def _norm_plot(context: QueryContext, answer: NormPlot | None) -> bool:
    if answer is None:
        return True
    pixels, shape = context.arguments["pixels"], answer.envelope
    return (
        all(is_array(end, "f", pixels) for end in (shape.low, shape.high))
        and all(is_array(truth, TRUTHS, pixels) for truth in (shape.has_value, shape.joined))
        and is_array(answer.marks, "u", context.arguments["cells"])
    )


def _evaluated(context: QueryContext, answer: Any) -> bool:
    values = [result.value for result in answer if isinstance(result, VectorValue)]
    most = context.arguments.get("most")
    fits = all(v.ndim == 1 and v.dtype.kind in NUMBERS and (most is None or len(v) <= most) for v in values)
    return fits and len(answer) == len(context.arguments["expressions"])


def _first_hits(context: QueryContext, answer: Any) -> bool:
    ts = context.arguments["ts"]
    return len(answer) == len(context.arguments["conditions"]) and all(t is None or t in ts for t in answer)


def _first_in_others(context: QueryContext, answer: Any) -> bool:
    lengths = lengths_of(context.trace, context.layer)
    places = [place for place in answer if place is not None]
    return len(answer) == len(context.arguments["conditions"]) and all(
        0 <= batch < len(lengths) and 0 <= t < lengths[batch] for batch, t in places
    )


def _passed(context: QueryContext, answer: Passed) -> bool:
    way, conditions = len(context.arguments["ts"]), len(context.arguments["conditions"])
    count = len(answer.at) if answer.at.ndim == 1 else -1
    return (
        count <= context.arguments["most"]
        and is_array(answer.at, INTEGERS, count)
        and is_array(answer.which, INTEGERS, count)
        and _places(answer.at.tolist(), way)
        and _places(answer.which.tolist(), conditions)
        and len(answer.counts) == conditions
        and _places(answer.counts, way + 1)
        and bool((np.diff(answer.at) >= 0).all())
        and bool((np.bincount(answer.which, minlength=conditions) <= answer.counts).all())
    )


def _hits_within(context: QueryContext, answer: Any) -> bool:
    page = context.arguments["page"]
    return all(t in page for t in answer) and all(a < b for a, b in pairwise(answer))


def _routes(context: QueryContext, answer: tuple[Split, ...]) -> bool:
    def fits(split: Split) -> bool:
        if split.state not in context.selected.layout.cell.states:
            return False
        vectors = (split.whole, split.later, *(route.values for route in split.routes))
        units = context.selected.size(split.state)
        timesteps = 0 <= split.t <= context.last_t and 0 <= split.later_t <= context.last_t
        return timesteps and len(vectors) <= MOST and all(is_array(v, NUMBERS, units) for v in vectors)

    return len(answer) <= len(context.selected.layout.cell.states) and all(fits(split) for split in answer)


def _reach(context: QueryContext, answer: Reach | None) -> bool:
    if answer is None:
        return True
    return (
        answer.state in context.selected.layout.cell.states
        and 0 <= answer.start <= context.last_t
        and not answer.steps < 0
    )


def _half_lives(context: QueryContext, answer: Any) -> bool:
    return answer is None or is_array(answer, NUMBERS, context.selected.hidden_size)


def _horizon(context: QueryContext, answer: Horizon) -> bool:
    return _half_lives(context, answer.half_lives) and _reach(context, answer.reach)


def _place(context: QueryContext, answer: FirstBad | Divergence | None) -> bool:
    """Whether the selected run has the place: a layer and a direction, or neither."""
    if answer is None:
        return True
    trace = context.trace
    return (
        has_place(trace, answer.layer, answer.direction)
        and -1 <= answer.t < trace.steps
        and 0 <= answer.batch < trace.batch
        and answer.unit >= 0
    )


def _first_bad(context: QueryContext, answer: FirstBad | None) -> bool:
    which = context.arguments.get("which", "forward")
    if answer is None or not _place(context, answer):
        return answer is None
    stages = () if answer.layer is None else context.trace.cell(answer.layer).stages
    is_stage = answer.stage is None or 0 <= answer.stage < len(stages)
    return is_stage and answer.which == which and answer.where != ""


def _expectation(context: QueryContext, answer: Expectation) -> bool:
    return not (answer.error and (answer.held or answer.operands))


def _equations(context: QueryContext, answer: tuple[Equation, ...]) -> bool:
    def fits(equation: Equation) -> bool:
        spans = (equation.left, equation.symbols, *equation.numbers)
        return (
            bool(equation.numbers)
            and max(len(equation.numbers), len(equation.parts), *map(len, spans)) <= MOST
        )

    stages = context.selected.layout.cell.stages
    return _in_order([e.quantity for e in answer], stages) and all(fits(equation) for equation in answer)


def _products(context: QueryContext, answer: tuple[Products, ...]) -> bool:
    def fits(product: Products) -> bool:
        most = min(product.count, context.arguments["most"])
        spans = max(len(product.written), len(product.vector))
        return len(product.factors) == most and spans <= MOST

    stages = context.selected.layout.cell.stages
    places = [stages.index(product.quantity) for product in answer if product.quantity in stages]
    are_in_order = len(places) == len(answer) <= MOST and places == sorted(places)
    return are_in_order and all(fits(product) for product in answer)


def _numbers_at(context: QueryContext, answer: tuple[Numbers, ...]) -> bool:
    cell, unit = context.selected.layout.cell, context.unit
    quantities = {q for q in (*cell.states, *cell.quantities) if unit < context.selected.size(q)}
    return (
        [numbers.quantity for numbers in answer] == list(dict.fromkeys(n.quantity for n in answer))
        and {numbers.quantity for numbers in answer} == quantities
        and all((numbers.recorded is None) == (context.trace is context.baseline) for numbers in answer)
    )


def _bound_values(context: QueryContext, answer: tuple[BoundValue, ...]) -> bool:
    """One value for each place in the code; none past the end of a sequence."""
    source = context.selected.source
    return len(answer) in (0, 0 if source is None else len(places_of(source)))


def _in_order(members: Sequence[str], of: Sequence[str]) -> bool:
    """Whether members are some of others, each once and in their order."""
    remaining = iter(of)
    return all(member in remaining for member in members)


def _survivals(context: QueryContext, answer: Survivals) -> bool:
    """The states, or why nothing can be said of them."""
    return (
        not (answer.states and answer.refusal)
        and len(answer.states) <= len(context.selected.layout.cell.states)
        and all(len(state.parts) <= MOST for state in answer.states)
    )


CHECKS: dict[str, Callable[[QueryContext, Any], bool]] = {
    "reads": are_reads,
    "window": _window,
    "difference": _window,
    "vector": lambda context, answer: is_array(answer, NUMBERS, context.units),
    "is_bound_at": lambda _, answer: True,
    "extent": _limit,
    "color_limit": _limit,
    "difference_limit": _limit,
    "weight_limit": _limit,
    "weight_map": is_weight_map,
    "node_values_at": are_node_values,
    "gradient_norms": lambda context, answer: is_array(answer, NUMBERS, context.trace.steps),
    "gradient_norm_plot": _norm_plot,
    "signal": _signal,
    "signal_at": _signal_at,
    "evaluated": _evaluated,
    "expectation": _expectation,
    "worked_out": lambda _, answer: not (answer.error and (answer.value or answer.arithmetic)),
    "first_hits": _first_hits,
    "first_in_others": _first_in_others,
    "hits_on_the_way": _passed,
    "hits_within": _hits_within,
    "equations_at": _equations,
    "products_at": _products,
    "numbers_at": _numbers_at,
    "bound_values": _bound_values,
    "why": is_ledger,
    "where": is_remains,
    "jacobian_row": is_jacobian_row,
    "jacobian_map": is_jacobian_map,
    "asked_lane": lambda context, answer: is_array(answer.values, NUMBERS, context.trace.steps),
    "survivals_at": _survivals,
    "routes_at": _routes,
    "horizon": _horizon,
    "half_lives": _half_lives,
    "gradient_reach": _reach,
    "first_bad": _first_bad,
    "divergence": _place,
    "diagnose": is_diagnosis,
}
"""By the name of the query."""
