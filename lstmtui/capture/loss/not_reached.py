"""Why no gradient came back to a recurrent module."""

from __future__ import annotations

from collections.abc import Iterable

from lstmtui.capture.module_runs import ModuleRun

NO_GRAPH = "it ran without a graph (torch.no_grad), so no derivatives were recorded"
NOT_REPEATED = (
    "it ran without a graph inside a custom autograd Function, whose backward has not run it again with the "
    "same input, so no derivatives were recorded"
)
CUT = "it was taken out of the graph (detach, torch.no_grad) before the loss, so no derivatives were recorded"


def why_not_reached(run: ModuleRun, *, is_cut: bool) -> str:
    """Why there are no derivatives of a run that no gradient reached; empty where they are 0.

    Args:
        run: of a module.
        is_cut: whether the user's code has taken what it returned out of the graph.
    """
    why = {"none": NO_GRAPH, "in a function": NOT_REPEATED}.get(run.graph, "")
    return why or (CUT if is_cut else "")


def hanging(runs: Iterable[ModuleRun]) -> str:
    """The layer whose state hangs on the graph of an earlier call, in words; empty where none does."""
    for run in runs:
        for (layer, _), origin in run.origins.items():
            if origin.kind == "earlier graph":
                return f"{run.path or type(run.module).__name__} l{layer} begins from {origin.begins}"
    return ""
