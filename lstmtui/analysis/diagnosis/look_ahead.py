"""A verdict on time: does what the loss reads at a timestep depend on what comes after it?"""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.analysis.diagnosis.verdict import BAD, FINE, LOOK, Verdict, not_measured
from lstmtui.analysis.reads import last_layers, read_of
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.look_ahead import LookAheadKind

_SEVERITIES: dict[LookAheadKind, str] = {"none": FINE, "meant": FINE, "copied": LOOK, "ahead": BAD}


def look_ahead_verdicts(trace: Trace) -> Iterator[Verdict]:
    """reads, of the run as a whole."""
    if all(layer.source is not None for layer in trace.layers):
        return
    seen = trace.header.look_ahead
    if seen is None or seen.kind == "unknown":
        if _is_read_once(trace):
            text = "the loss reads each layer at one timestep alone"
            yield Verdict("reads", FINE, None, "", "", 0.0, 1.0, text)
            return
        why = "it was not looked at in this recording" if seen is None else printable(seen.text)
        text = (
            f"whether what the loss reads looks ahead is not known: {why}; the law of causality "
            "(`lstmtui help laws`) tries it with the model itself"
        )
        yield not_measured("reads", None, "", text)
        return
    how = _SEVERITIES[seen.kind]
    next_ = "" if how == FINE else f"goto {min(max(0, seen.t), trace.steps - 1)}"
    ahead = float(max(0, seen.until - seen.t))
    yield Verdict("reads", how, None, "", "", ahead, 1.0, printable(seen.text), next=next_)


def _is_read_once(trace: Trace) -> bool:
    """Whether each of the last layers is read at one timestep of a sequence, which has its own verdict."""
    every = [read_of(trace, *place, b) for place in last_layers(trace) for b in range(trace.batch)]
    timesteps = {read.timesteps for read in every if read is not None}
    return None not in every and max(timesteps, default=0) == 1
