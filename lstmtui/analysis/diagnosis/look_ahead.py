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
        if _reads_ends_alone(trace):
            text = "the loss reads layers where they have seen all of their input alone"
            yield Verdict("reads", FINE, None, "", "", 0.0, 1.0, text)
            return
        why = "it was not looked at in this recording" if seen is None else printable(seen.text)
        text = f"whether what the loss reads looks ahead is not known: {why}; `lstmtui laws` tries it"
        yield not_measured("reads", None, "", text)
        return
    how = _SEVERITIES[seen.kind]
    next_ = "" if how == FINE else f"goto {min(max(0, seen.t), trace.steps - 1)}"
    ahead = float(max(0, seen.until - seen.t))
    yield Verdict("reads", how, None, "", "", ahead, 1.0, printable(seen.text), next=next_)


def _reads_ends_alone(trace: Trace) -> bool:
    """Whether the layers are read after the last input that they have read, and nowhere else."""
    every = [read_of(trace, *place, b) for place in last_layers(trace) for b in range(trace.batch)]
    reads = [read for read in every if read is not None and read.timesteps]
    return bool(reads) and None not in every and all(min(read.seen) == read.length for read in reads)
