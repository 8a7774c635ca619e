"""What a session begins with: the traces that it can walk through, and the place at which it starts."""

from __future__ import annotations

from collections.abc import Mapping

from lstmtui.errors import UserError
from lstmtui.session.main_layer import main_layer
from lstmtui.trace import Trace, Traces
from lstmtui.trace.lengths import lengths_of
from lstmtui.view import Cursor


def first_cursor(traces: Mapping[str, Trace]) -> Cursor:
    """Where a session starts: where code raised, at what the runs were written for, else at the first run."""
    for name, trace in traces.items():
        if trace.header.raised is not None:
            raised = trace.header.raised
            return Cursor(name, t=raised.t, layer=raised.layer).fitted_to(trace)
    wanted = [name for name, trace in traces.items() if trace.header.opens]
    name = wanted[-1] if wanted else next(iter(traces))
    return Cursor(name, layer=main_layer(traces[name]))


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
