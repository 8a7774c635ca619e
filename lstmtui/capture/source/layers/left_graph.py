"""Where code takes values out of the graph: no gradient comes back there, which does not make it 0."""

from __future__ import annotations

from collections.abc import Iterable

from lstmtui.capture.source.bindings import Binding, Call

_WAYS_OUT = frozenset({"detach", "detach_", "no_grad", "inference_mode"})
CUT = "no gradient came back, and the code takes values out of the graph (detach, no_grad)"


def mark_cuts(calls: Iterable[Call], bindings: Iterable[Binding]) -> None:
    """Mark names that no gradient reached, if the code that ran may have cut them off.

    Elsewhere the loss does not depend on such a name, and its derivative is 0.
    """
    if any(_WAYS_OUT & {*code.co_names} for code in {call.code for call in calls}):
        for binding in bindings:
            if not binding.gradients and not binding.absent:
                binding.absent = CUT
            elif binding.gradients and binding.absent == CUT:
                binding.absent = ""  # a backward pass has come since
