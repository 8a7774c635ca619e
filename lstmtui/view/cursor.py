"""The position of the debugger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


@dataclass(frozen=True)
class Cursor:
    """A place in a run, which determines what every panel shows."""

    model: str
    t: int = 0
    """The timestep, 0 to T−1."""
    layer: int = 0
    direction: str = "forward"
    batch: int = 0
    """Which sequence of the batch."""
    unit: int = 0
    stage: int | None = None
    """Inside a timestep: the position in the cell's `stages` that was evaluated last; None: whole steps."""

    def fitted_to(self, trace: Trace) -> Cursor:
        """The same place in a run, or the nearest that it has."""
        layer = min(self.layer, len(trace.layers) - 1)
        directions = trace.layers[layer].directions
        batch = min(self.batch, trace.batch - 1)
        stages = trace.cell(layer).stages
        return replace(
            self,
            layer=layer,
            direction=self.direction if self.direction in directions else directions[0],
            batch=batch,
            unit=min(self.unit, trace.layers[layer].hidden_size - 1),
            t=max(0, min(self.t, int(lengths_of(trace, layer)[batch]) - 1)),
            stage=None if self.stage is None else min(self.stage, len(stages) - 1),
        )
