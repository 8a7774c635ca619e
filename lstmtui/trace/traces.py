"""Several traces of one scenario, by model name."""

from __future__ import annotations

from pathlib import Path

from lstmtui.trace.trace import Trace


class Traces(dict[str, Trace]):
    """{model name: Trace}, in the order of the scenario file; saved and loaded as one."""

    def save(self, path: str | Path) -> None:
        """Write every trace to the directory `path`; a crash half-way leaves the old ones or the new ones."""
        from lstmtui.trace.storage import save

        save(self, path)
