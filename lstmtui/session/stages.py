"""The stops of `into`: what they are called, and which one comes after a function has returned."""

from __future__ import annotations

from pathlib import PurePath

from lstmtui.printable import printable
from lstmtui.trace import Layer


def stage_text(layer: Layer, stage: int) -> str:
    """The quantity of a stage; of recorded code also its inner step and where it is bound."""
    name = layer.layout.cell.stages[stage]
    if layer.source is None:
        return name
    place = layer.source.stages[stage]
    function = layer.source.functions[place.function]
    inner = f", inner step {place.inner_step}" if place.inner_step >= 0 else ""
    line = f":{place.line}" if place.line else ""
    return printable(f"{name}{inner} ({PurePath(function.file).name}{line}, {function.name})")


def next_stage(layer: Layer, stage: int, t: int) -> int | None:
    """The first stage from this one on to which a timestep comes; None where it comes to no more."""
    source, count = layer.source, len(layer.layout.cell.stages)
    if source is None:
        return stage if stage < count else None
    return next((n for n in range(stage, count) if source.stops_at(n, t)), None)


def stage_after_return(layer: Layer, stage: int, t: int) -> int | None:
    """The first stage after a function of recorded code has returned; None where no function called it.

    None too where nothing is bound in this timestep after it has returned.
    """
    if layer.source is None:
        return None
    stages = layer.source.stages
    depth = stages[stage].depth
    later = (n for n in range(stage + 1, len(stages)) if layer.source.stops_at(n, t))
    return next((n for n in later if stages[n].depth < depth), None)
