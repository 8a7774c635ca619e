"""Whether an answer can say what a number is made of, and what it reaches: ledgers and Jacobians."""

from __future__ import annotations

from lstmtui.analysis.jacobian_map import JacobianMap
from lstmtui.analysis.jacobian_row import JacobianRow
from lstmtui.analysis.why.ledger import Ledger, Place
from lstmtui.analysis.why.remains import Remains
from lstmtui.remote.client.query_context import MOST, NUMBERS, QueryContext, is_array
from lstmtui.remote.client.verdict_checks import has_place


def is_ledger(context: QueryContext, answer: Ledger) -> bool:
    """Whether it has no more parts than were wanted, and leads only to what the run has."""

    def is_there(place: Place) -> bool:
        trace = context.trace
        return (
            has_place(trace, place.layer, place.direction)
            and 0 <= place.t < trace.steps
            and 0 <= place.batch < trace.batch
            and place.unit >= 0
        )

    places = [answer.asked, *(part.leads_to for part in answer.parts if part.leads_to is not None)]
    factors = max((len(part.factors) for part in answer.parts), default=0)
    return (
        len(answer.parts) <= min(answer.count, context.arguments["most"])
        and factors <= MOST
        and len(answer.notes) <= MOST
        and all(map(is_there, places))
    )


def is_jacobian_row(context: QueryContext, answer: JacobianRow) -> bool:
    """Whether it has each state of the selected cell, and a number for every timestep."""
    steps, states = context.trace.steps, context.selected.layout.cell.states
    are_there = 0 <= answer.t < steps and 0 <= answer.first < steps
    arrays = (*answer.by_state, answer.by_x)
    is_whole = answer.states == states and len(answer.by_state) == len(states)
    return are_there and is_whole and all(is_array(array, NUMBERS, steps) for array in arrays)


def is_jacobian_map(context: QueryContext, answer: JacobianMap) -> bool:
    """Whether it has a number for each pair of the timesteps that are asked for."""
    count = max(0, min(context.arguments["stop"], context.last_t + 1) - context.arguments["start"])
    asked = (context.arguments["by"], context.arguments["start"])
    is_there = (answer.by, answer.start) == asked and answer.probes >= 0
    return is_there and is_array(answer.values, NUMBERS, count, count)


def is_remains(context: QueryContext, answer: Remains) -> bool:
    """Whether it reaches from the timestep that is asked about to the end of the sequence."""
    t, last = context.arguments["t"], context.last_t
    count = t + 1 if answer.asked.direction == "backward" else last + 1 - t
    return is_array(answer.left, NUMBERS, count) and -1 <= answer.half <= last and answer.asked.t == t
