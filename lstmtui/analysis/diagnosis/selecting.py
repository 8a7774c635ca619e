"""The command that goes to what a verdict is about."""

from __future__ import annotations

from lstmtui.trace import Trace


def selecting(
    trace: Trace, layer: int, direction: str, *, batch: int | None = None, unit: int | None = None
) -> str:
    """Select a layer and direction, and a sequence and a unit of it; as short as the run allows.

    Empty where there is nothing to choose between.
    """
    parts = []
    if trace.batch > 1 and batch is not None:
        parts.append(f"batch {batch}")
    if unit is not None:
        parts.append(f"unit {unit}")
    has_places = len(trace.layers) > 1 or len(trace.layers[layer].directions) > 1
    if has_places or len(parts) > 1:
        parts.insert(0, f"layer {layer} {direction}")
    return " ".join(parts)


def then(*commands: str) -> str:
    """Commands one after another, without those that are empty."""
    return "\n".join(filter(None, commands))
