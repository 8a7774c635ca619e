"""What is wrong with a run, if anything: verdicts on its gates, units and gradients, each with its number."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from lstmtui.analysis.diagnosis.finite import finite_verdicts
from lstmtui.analysis.diagnosis.gates import gate_verdicts
from lstmtui.analysis.diagnosis.gradients import gradient_verdicts
from lstmtui.analysis.diagnosis.padding import padding_verdicts
from lstmtui.analysis.diagnosis.units import memory_verdicts
from lstmtui.analysis.diagnosis.verdict import BAD, FINE, LOOK, NAMES, SEVERITIES, Verdict, worst
from lstmtui.trace import Trace
from lstmtui.view.query import query
from lstmtui.view.view import View

__all__ = ["BAD", "FINE", "LOOK", "NAMES", "SEVERITIES", "Verdict", "diagnose", "diagnose_trace", "worst"]

_verdicts: WeakKeyDictionary[Trace, tuple[Verdict, ...]] = WeakKeyDictionary()


@query()
def diagnose(view: View) -> tuple[Verdict, ...]:
    """Every verdict on the selected run, of all its layers and sequences; it reads all of the run once."""
    return diagnose_trace(view.trace)


def diagnose_trace(trace: Trace) -> tuple[Verdict, ...]:
    """Every verdict on a run: what is bad first, then what is worth a look, then what is fine."""
    if trace not in _verdicts:
        verdicts = list(finite_verdicts(trace))
        for index, layer in enumerate(trace.layers):
            for direction in layer.directions:
                for family in (gate_verdicts, memory_verdicts, gradient_verdicts, padding_verdicts):
                    verdicts += family(trace, index, direction)
        names = list(NAMES)
        verdicts.sort(key=lambda v: (-SEVERITIES.index(v.severity), names.index(v.name)))
        _verdicts[trace] = tuple(verdicts)
    return _verdicts[trace]
