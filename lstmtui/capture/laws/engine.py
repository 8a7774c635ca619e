"""Tests the laws on a session's models, and runs the models again; torch is loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from lstmtui.analysis.laws import HeldLaws
from lstmtui.capture.engine import RerunEngine
from lstmtui.libraries import load_library
from lstmtui.trace import Trace

if TYPE_CHECKING:
    from lstmtui.scenario import Scenario


class ModelEngine(RerunEngine):
    """Runs recorded models again: from their traces for what-ifs, from their scenario for laws."""

    def __init__(self) -> None:
        self._scenarios: WeakKeyDictionary[Trace, tuple[Callable[[], Scenario], str]] = WeakKeyDictionary()
        self._laws: WeakKeyDictionary[Trace, dict[tuple[str, ...], HeldLaws]] = WeakKeyDictionary()

    def remember(self, scenario: Callable[[], Scenario], traces: Mapping[str, Trace]) -> None:
        """These traces, by the name of the model, are of that scenario; it was trusted where it runs code."""
        for name, trace in traces.items():
            self._scenarios[trace] = scenario, name

    def laws(
        self,
        trace: Trace,
        progress: Callable[[str, float], None] | None = None,
        only: Collection[str] = (),
    ) -> HeldLaws:
        """The laws of state on the model of a trace; on its layers alone where its scenario is not known."""
        load_library("torch")
        from lstmtui.capture.laws.targets import OF_TRACE, note_of, scenario_laws, trace_laws

        results = self._laws.setdefault(trace, {})
        if (chosen := tuple(only)) not in results:
            recorded = self._scenarios.get(trace)
            if recorded is None:
                results[chosen] = HeldLaws(trace_laws(trace, only, progress), OF_TRACE)
            else:
                load, name = recorded
                scenario = load()
                held = scenario_laws(scenario, name, only, progress)
                results[chosen] = HeldLaws(held, note_of(scenario, name))
        return results[chosen]
