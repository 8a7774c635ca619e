"""What the loss reads of a run: at which timesteps of a layer, and how many inputs had been seen there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.layer_names import layer_name
from lstmtui.arrays import Array
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.trace.look_ahead import LookAhead
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True)
class Read:
    """Where one layer and direction is read by what follows the recurrence, in one sequence."""

    layer: int
    direction: str
    path: str
    """Of the layer's module; empty where there is one module."""
    timesteps: int
    """How many are read."""
    first: int
    """The first of them in the order of time; −1 where none is."""
    last: int
    length: int
    """The number of timesteps of the sequence."""

    @property
    def seen(self) -> tuple[int, int]:
        """How many inputs had been seen at the timesteps that are read: the fewest and the most."""
        if self.direction == "backward":
            return self.length - self.last, self.length - self.first
        return self.first + 1, self.last + 1

    @property
    def place(self) -> str:
        """ "layer 1 forward", or with the module's path."""
        return f"layer {self.layer} {self.direction}" + (f" ({printable(self.path)})" if self.path else "")

    def __str__(self) -> str:
        if not self.timesteps:
            return f"nothing of {self.place}"
        return f"{self.place} {self.where}"

    @property
    def where(self) -> str:
        """ "at t=3, where it has seen 4 of 9 inputs"."""
        fewest, most = self.seen
        inputs = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        return f"at {self.when}, where it has seen {inputs} of {self.length:,} inputs"

    @property
    def share(self) -> float:
        """The share of the inputs that it has seen where it has seen most."""
        return self.seen[1] / max(1, self.length)

    @property
    def when(self) -> str:
        """ "t=3", "every t from 3 to 9", "4 timesteps from t=3 to t=9"."""
        if self.timesteps == 1:
            return f"t={self.first}"
        if self.timesteps == self.last - self.first + 1:
            return f"every t from {self.first} to {self.last}"
        return f"{self.timesteps:,} timesteps from t={self.first} to t={self.last}"


@query()
def reads(view: View) -> tuple[Read, ...]:
    """What the loss reads of the selected sequence, of every layer that is the last of its module.

    What it reads of another is read by the layer above. Empty where no derivatives were recorded.
    """
    return tuple(
        read
        for layer, direction in last_layers(view.trace)
        if (read := read_of(view.trace, layer, direction, view.cursor.batch)) is not None
    )


def last_layers(trace: Trace) -> tuple[tuple[int, str], ...]:
    """The layers over which no other of their module is, with each of their directions."""
    ends = {layer.path: index for index, layer in enumerate(trace.layers)}
    return tuple((index, d) for index in ends.values() for d in trace.layers[index].directions)


def read_of(trace: Trace, layer: int, direction: str, batch: int) -> Read | None:
    """Where one layer and direction is read in one sequence; None where that was not recorded."""
    sizes = trace.arrays.get(array_key("reads", layer, direction))
    if sizes is None and not _is_without_gradient(trace, layer, direction):
        return None
    length = int(lengths_of(trace, layer)[batch])
    is_read = np.zeros(0) if sizes is None else _is_read(sizes[:length, batch])
    timesteps = np.flatnonzero(is_read)
    first, last = (int(timesteps[0]), int(timesteps[-1])) if len(timesteps) else (-1, -1)
    return Read(layer, direction, layer_name(trace, layer), len(timesteps), first, last, length)


def reads_text(every: tuple[Read, ...], ahead: LookAhead | None = None) -> str:
    """What the loss reads, as a sentence without a full stop, with what is known about later inputs."""
    text = "the loss reads " + "; ".join(str(read) for read in every)
    if ahead is None or ahead.kind == "unknown":
        return text
    return f"{text}; {printable(ahead.text)}"


def _is_without_gradient(trace: Trace, layer: int, direction: str) -> bool:
    """Whether there are derivatives by the states, which are 0 throughout: then nothing reads them."""
    if trace.layers[layer].source is not None:
        return False
    states = [s for s in trace.cell(layer).states if "d" + s in trace.quantities(layer)]
    return bool(states) and not any(trace.norms("d" + s, layer, direction).any() for s in states)


def reads_summaries(every: tuple[Read, ...], ahead: LookAhead | None = None) -> tuple[str, ...]:
    """What the loss reads in a few words, the longest first: "loss reads t=3"; empty if it reads nothing."""
    read = [place for place in every if place.timesteps]
    if not read:
        return ()
    whens = tuple(dict.fromkeys(place.when for place in read))
    short = "loss reads " + ", ".join(whens)
    if ahead is not None and ahead.kind == "ahead":
        short += ", which looks ahead"
    if all(place.direction == "forward" for place in read):
        return (short,)
    least = min(read, key=lambda place: place.share)
    return (f"{short} ({least.direction} after {least.seen[1]:,} of {least.length:,} inputs)", short)


def _is_read(sizes: Array) -> Array:
    """NaN and inf come from something that reads, too."""
    return np.asarray(sizes != 0)
