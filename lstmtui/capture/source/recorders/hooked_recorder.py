"""Recording by source of code whose losses and backward passes are the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.capture.source.recorders.recorder import SourceRecorder


class HookedRecorder(SourceRecorder):
    """Records until it is released; hooks give it the derivatives of all backward passes."""

    _is_grouped = False

    @property
    def is_derived(self) -> bool:
        """Whether a backward pass has come to anything that was computed."""
        return self.tracer.is_reached

    def layers_now(self, steps: Sequence[int], why: str) -> list[SourceLayer]:
        """The layers, with the derivatives that have come so far.

        Args:
            steps: how many timesteps the runs that were recorded otherwise have.
            why: why there are no derivatives, where none came.
        """
        if not self._is_grouped:
            self.group(None, steps)
            self._is_grouped = True
        is_derived = self.is_derived
        layers = self.made(derived=is_derived)
        for own in layers if not is_derived else ():
            own.layer = replace(own.layer, absent=why)
        return layers

    def release(self) -> None:
        """Hear of no further backward passes."""
        self.tracer.release()
