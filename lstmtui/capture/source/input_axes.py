"""Which axes of the input are time and the sequences, as the user says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class InputAxes:
    """The axes of the tensors that a model is called with; None: it is to be seen from them."""

    time: int | None = None
    batch: int | None = None

    @property
    def said(self) -> str:
        """The argument that says one of them; empty where none does."""
        return "time_axis" if self.time is not None else "batch_axis" if self.batch is not None else ""

    def steps(self, shapes: Iterable[Shape]) -> set[int]:
        """How many timesteps there may be: the sizes of the first two axes, or of the one that is time.

        Raises:
            ValueError: no tensor of the input has such an axis.
        """
        if self.time is None:
            return {size for shape in shapes for size in shape[:2]}
        return _sizes(shapes, self.time, "time_axis")

    def sequences(self, shapes: Iterable[Shape]) -> set[int]:
        """How many sequences there may be, as the user says; empty where nothing is said.

        Raises:
            ValueError: no tensor of the input has such an axis.
        """
        return set() if self.batch is None else _sizes(shapes, self.batch, "batch_axis")


UNSAID = InputAxes()
"""Nothing is said."""


def _sizes(shapes: Iterable[Shape], axis: int, argument: str) -> set[int]:
    sizes = {shape[axis] for shape in shapes if -len(shape) <= axis < len(shape)}
    if not sizes:
        raise ValueError(f"{argument}: no tensor of the input has an axis {axis}")
    return sizes
