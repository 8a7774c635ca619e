"""What holds the laws on a session's models, and runs them again; torch is loaded when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from lstmtui.capture.engine import RerunEngine
from lstmtui.libraries import load_library
from lstmtui.trace import Trace

if TYPE_CHECKING:
    from lstmtui.analysis.laws import LawResult
    from lstmtui.scenario import Scenario


class ModelEngine(RerunEngine):
    """Runs recorded models again: for what-ifs from their traces, for laws as their scenario builds them."""

    def __init__(self) -> None:
        self._scenarios: WeakKeyDictionary[Trace, tuple[Scenario, str]] = WeakKeyDictionary()
        self._laws: WeakKeyDictionary[Trace, tuple[LawResult, ...]] = WeakKeyDictionary()

    def remember(self, scenario: Scenario, traces: Mapping[str, Trace]) -> None:
        """These traces, by the name of the model, are of that scenario; it was trusted where it runs code."""
        for name, trace in traces.items():
            self._scenarios[trace] = scenario, name

    def laws(
        self, trace: Trace, progress: Callable[[str, float], None] | None = None
    ) -> tuple[LawResult, ...]:
        """The laws of state on the model of a trace; on its layers alone where its scenario is not known."""
        load_library("torch")
        from lstmtui.capture.laws.targets import scenario_laws, trace_laws

        if trace not in self._laws:
            known = self._scenarios.get(trace)
            if known is None:
                self._laws[trace] = trace_laws(trace, progress=progress)
            else:
                self._laws[trace] = scenario_laws(*known, progress=progress)
        return self._laws[trace]
