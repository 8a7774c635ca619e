"""What runs a session's models again; torch is loaded when it is first asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lstmtui.libraries import load_library
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt


class RerunEngine:
    """Runs recorded models again, from their traces alone."""

    def rerun(
        self,
        trace: Trace,
        edits: Sequence[Edit],
        loss_at: LossAt | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Trace:
        """The run with its what-ifs; see :func:`lstmtui.capture.reruns.rerun.rerun`."""
        load_library("torch")
        from lstmtui.capture.reruns.rerun import rerun

        return rerun(trace, edits, loss_at, progress)
