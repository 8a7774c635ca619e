"""What is wrong with a run, if anything: verdicts on its gates, units and gradients, each with its number."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from lstmtui.session.diagnosis.finite import finite_verdicts
from lstmtui.session.diagnosis.gates import gate_verdicts
from lstmtui.session.diagnosis.gradients import gradient_verdicts
from lstmtui.session.diagnosis.memory import memory_verdicts
from lstmtui.session.diagnosis.padding import padding_verdicts
from lstmtui.session.diagnosis.verdict import BAD, FINE, LOOK, NAMES, SEVERITIES, Verdict, worst
from lstmtui.session.readings import reading
from lstmtui.session.session import Session
from lstmtui.trace import Trace

__all__ = ["BAD", "FINE", "LOOK", "NAMES", "SEVERITIES", "Verdict", "diagnose", "diagnose_trace", "worst"]

_known: WeakKeyDictionary[Trace, tuple[Verdict, ...]] = WeakKeyDictionary()


@reading()
def diagnose(session: Session) -> tuple[Verdict, ...]:
    """Every verdict on the selected run, of all its layers and sequences; it reads all of the run once."""
    return diagnose_trace(session.trace)


def diagnose_trace(trace: Trace) -> tuple[Verdict, ...]:
    """Every verdict on a run: what is bad first, then what is worth a look, then what is fine."""
    if trace not in _known:
        found = list(finite_verdicts(trace))
        for index, layer in enumerate(trace.layers):
            for direction in layer.directions:
                for family in (gate_verdicts, memory_verdicts, gradient_verdicts, padding_verdicts):
                    found += family(trace, index, direction)
        names = list(NAMES)
        found.sort(key=lambda v: (-SEVERITIES.index(v.severity), names.index(v.name)))
        _known[trace] = tuple(found)
    return _known[trace]
