"""What is wrong with a run, if anything: verdicts on its gates, units and gradients, each with its number."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from lstmtui.analysis.diagnosis.depth import depth_verdicts
from lstmtui.analysis.diagnosis.exploding import exploding_verdicts
from lstmtui.analysis.diagnosis.finite import finite_verdicts
from lstmtui.analysis.diagnosis.gates import gate_verdicts
from lstmtui.analysis.diagnosis.look_ahead import look_ahead_verdicts
from lstmtui.analysis.diagnosis.padding import padding_verdicts
from lstmtui.analysis.diagnosis.reads import reads_verdicts
from lstmtui.analysis.diagnosis.state import state_verdicts
from lstmtui.analysis.diagnosis.units import memory_verdicts
from lstmtui.analysis.diagnosis.vanishing import vanishing_verdicts
from lstmtui.analysis.diagnosis.verdict import (
    BAD,
    FINE,
    LOOK,
    NAMES,
    NOT_MEASURED,
    SEVERITIES,
    Verdict,
    reasons,
)
from lstmtui.analysis.layer_names import module_path
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.view.query import query
from lstmtui.view.view import View

__all__ = [
    "BAD",
    "FINE",
    "LOOK",
    "NAMES",
    "NOT_MEASURED",
    "SEVERITIES",
    "Verdict",
    "diagnose",
    "diagnose_trace",
    "reasons",
]

FAMILIES = (
    gate_verdicts,
    memory_verdicts,
    vanishing_verdicts,
    exploding_verdicts,
    padding_verdicts,
    reads_verdicts,
    state_verdicts,
)
"""What judges one direction of one layer."""

_verdicts: WeakKeyDictionary[Trace, tuple[Verdict, ...]] = WeakKeyDictionary()


@query()
def diagnose(view: View) -> tuple[Verdict, ...]:
    """Every verdict on the selected run, of all its layers and sequences; it reads all of the run once."""
    return diagnose_trace(view.trace)


def diagnose_trace(trace: Trace) -> tuple[Verdict, ...]:
    """Every verdict on a run: first what is bad, then what is worth a look, then what is fine."""
    if trace not in _verdicts:
        with np.errstate(all="ignore"):  # of what diverged, numpy would warn beside the verdict that says so
            verdicts = [*finite_verdicts(trace), *depth_verdicts(trace), *look_ahead_verdicts(trace)]
            for index, layer in enumerate(trace.layers):
                for direction in layer.directions:
                    for family in FAMILIES:
                        verdicts += family(trace, index, direction)
        verdicts = [_named(trace, verdict) for verdict in verdicts]
        names = list(NAMES)
        verdicts.sort(key=lambda v: (-SEVERITIES.index(v.severity), names.index(v.name)))
        _verdicts[trace] = tuple(verdicts)
    return _verdicts[trace]


def _named(trace: Trace, verdict: Verdict) -> Verdict:
    """The verdict with the layer's path in the module."""
    if verdict.layer is None:
        return verdict
    return replace(verdict, module=printable(module_path(trace, verdict.layer)))
