"""What a session begins with: the traces that it can walk through, and the place at which it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lstmtui.errors import UserError
from lstmtui.session.main_layer import main_layer
from lstmtui.trace import Trace, Traces
from lstmtui.trace.lengths import lengths_of
from lstmtui.view import Cursor

_PLACE = re.compile(r"(layer|batch|goto) (\d{1,9})|(direction) (\w+)", re.ASCII)
"""A line of a script that goes somewhere."""


def first_cursor(traces: Mapping[str, Trace]) -> Cursor:
    """Where code raised, or where there is what the runs were written for; else in the first of them."""
    for name, trace in traces.items():
        if trace.header.raised is not None:
            raised = trace.header.raised
            return Cursor(name, t=raised.t, layer=raised.layer).fitted_to(trace)
    wanted = [name for name, trace in traces.items() if trace.header.opens]
    if wanted:
        return _scripted(wanted[-1], traces[wanted[-1]])
    name = next(iter(traces))
    return Cursor(name, layer=main_layer(traces[name]))


def _scripted(name: str, trace: Trace) -> Cursor:
    """The place to which the script of a run takes a session."""
    lines = (_PLACE.fullmatch(line.strip()) for line in trace.header.script.splitlines())
    place = {line[1] or line[3]: line[2] or line[4] for line in lines if line is not None}
    return Cursor(
        name,
        t=int(place.get("goto", 0)),
        layer=int(place.get("layer", main_layer(trace))),
        direction=place.get("direction", "forward"),
        batch=int(place.get("batch", 0)),
    ).fitted_to(trace)


def traces_by_name(traces: Trace | Mapping[str, Trace]) -> dict[str, Trace]:
    """The traces of a session.

    Raises:
        UserError: there is none, or a sequence is given a length that it cannot have.
    """
    if isinstance(traces, Trace):
        traces = Traces({traces.name: traces})
    if not traces:
        raise UserError("there is nothing to debug: the scenario has no model")
    for name, trace in traces.items():
        if trace.lengths.min() < 1 or trace.lengths.max() > trace.steps:
            raise UserError(f"{name}: a sequence is given a length outside of 1 to {trace.steps}")
        for layer in range(len(trace.layers)):
            own = lengths_of(trace, layer)
            if own.min() < 0 or not own.any() or (own > trace.lengths).any():
                raise UserError(f"{name}: layer {layer} is given other lengths than its sequences can have")
    return dict(traces)
