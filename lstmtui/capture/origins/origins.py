"""The results of recurrent layers, from which the axes of all tensors computed from them follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.nn.utils.rnn import PackedSequence
from torch.utils.weak import WeakTensorKeyDictionary

from lstmtui.capture.axes import Axes, Axis, Factor, Kind, broadcast, unknown
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.origins.graph_axes import End, after, name_of, place_of
from lstmtui.models.torch_compat import result_shape, run_checkpoint_again, saved

_MOST_NODES = 1_000_000
"""The most nodes of a graph that are visited."""


class Origins:
    """The results of every call of a recurrent layer, and what their axes mean.

    Args:
        timesteps_of: says with which timesteps the calls of the forward pass begin that others repeat, which
            a checkpoint holds; None where that is not known.
    """

    def __init__(self, timesteps_of: Callable[[Sequence[Any]], Sequence[int | None]] | None = None) -> None:
        self._timesteps_of = timesteps_of
        self._ends: dict[End, Axes | None] = {}
        self._tensors = WeakTensorKeyDictionary()
        self._orders: list[Tensor] = []
        self._held: dict[Any, list[Axes]] = {}
        """The axes of what re-entrant checkpoints returned, by their nodes."""
        self._repeated: list[tuple[Any, Any, Sequence[Kind]]] | None = None
        """What such a checkpoint holds, as it runs again to see these: calls, results and kinds of axes."""

    def add(self, result: Any, start: int, kinds: Sequence[Kind]) -> None:
        """Note what a layer returned.

        Args:
            result: the output, alone or with the last states.
            start: its first timestep in the layer's run.
            kinds: of the output's first axes; without time it is a Cell's, the states after one timestep.
        """
        output, *rest = result if type(result) is tuple else (result,)
        if isinstance(output, PackedSequence):
            if output.unsorted_indices is not None:
                self._orders.append(output.unsorted_indices)
            output, kinds = output.data, ("packed",)
        for state in tensors_in(rest):
            assert isinstance(state, Tensor)
            # Those of a stack have an axis of layers, which is not one of timesteps.
            self._note(state, None if {"time", "packed"} & {*kinds} else _leading(state, kinds, start))
        self._note(output, _leading(output, kinds, start))

    @property
    def is_looking(self) -> bool:
        """Whether what a re-entrant checkpoint holds runs again to see what it returns."""
        return self._repeated is not None

    def repeat(self, call: Any, result: Any, kinds: Sequence[Kind]) -> None:
        """Note what a layer returned that runs again, once it is known which call that repeats."""
        if self._repeated is not None:
            self._repeated.append((call, result, kinds))

    def axes_of(self, tensor: Tensor) -> Axes:
        """What the axes of a tensor mean; unknown where it is not made of what the layers returned."""
        if tensor.grad_fn is None:
            axes: Axes | None = self._tensors.get(tensor, None)  # type: ignore[no-untyped-call]
        else:
            axes = self.axes_of_end((tensor.grad_fn, tensor.output_nr))
        return axes if axes is not None and axes.shape == tuple(tensor.shape) else unknown(tensor.shape)

    def axes_of_end(self, end: End) -> Axes | None:
        """The same of a result in the graph; None where nothing can be told."""
        try:
            return self._followed(end)
        except (AttributeError, LookupError, RuntimeError, ValueError, ArithmeticError):
            # Other versions of torch may keep other facts of an operation, and then nothing is told.
            return None

    def _note(self, tensor: Tensor, axes: Axes | None) -> None:
        if tensor.grad_fn is not None:
            self._ends[tensor.grad_fn, tensor.output_nr] = axes
        elif axes is not None:
            self._tensors[tensor] = axes

    def _followed(self, end: End) -> Axes | None:
        """The axes of a result, from those of all it is made of, back to the layers' own."""
        done = dict(self._ends)
        waiting = [end]
        while waiting and len(done) < _MOST_NODES:
            if waiting[-1] in done:
                waiting.pop()
                continue
            sources = [(node, number) for node, number in waiting[-1][0].next_functions]
            missing = [source for source in sources if source[0] is not None and source not in done]
            if missing:
                waiting.extend(missing)
            else:
                last = waiting.pop()
                done[last] = self._after(last, [done.get(source) for source in sources])
        return done.get(end)

    def _after(self, end: End, parts: list[Axes | None]) -> Axes | None:
        name, inputs = name_of(end[0]), [part for part in parts if part is not None]
        if not name and (held := self._of_checkpoint(end[0], parts)):
            return held[end[1]]
        if inputs and name == "CopySlices":
            return self._written(result_shape(end[0], 0), inputs)
        if inputs and name == "IndexSelect":
            return self._unsorted(end[0], inputs[0])
        return after(end, parts)

    def _of_checkpoint(self, node: Any, parts: Sequence[Axes | None]) -> list[Axes]:
        """The axes of what a re-entrant checkpoint returned, which had no graph; none for other nodes.

        Args:
            node: of the graph.
            parts: the axes of the tensors that it was given.
        """
        if node not in self._held:
            self._held[node], before = [], self._repeated
            self._repeated = []
            try:
                given, results = run_checkpoint_again(node)
                for tensor, known in zip(given, parts, strict=True) if given else ():
                    if known is not None and tensor.requires_grad:
                        self._ends[get_gradient_edge(tensor).node, 0] = known
                self._add_repeated(self._repeated)
                axes = (self.axes_of(r) if isinstance(r, Tensor) else unknown(()) for r in results)
                self._held[node] = [*axes]
            except Exception:  # of the code in it, which has run before: then nothing is told
                return []
            finally:
                self._repeated = before
        return self._held[node]

    def _add_repeated(self, repeated: list[tuple[Any, Any, Sequence[Kind]]]) -> None:
        assert self._timesteps_of is not None
        starts = self._timesteps_of([call for call, *_ in repeated])
        for start, (_, result, kinds) in zip(starts, repeated, strict=True):
            if start is not None:
                self.add(result, start, kinds)

    def _written(self, shape: tuple[int, ...], inputs: list[Axes]) -> Axes | None:
        """A tensor that was written into; `pad_packed_sequence` does so, with stretches of packed data."""
        stretches = [part for part in inputs if _is_stretch(part)]
        whole = [part for part in inputs if part.shape == shape and part not in stretches]
        if whole:
            return broadcast(shape, whole)
        if len(shape) < 2 or len(stretches) < len(inputs):
            return None
        sequences = Factor("sorted" if self._orders else "batch", shape[1])
        return Axes(((Factor("time", shape[0]),), (sequences,), *unknown(shape[2:]).axes))

    def _unsorted(self, node: Any, axes: Axes) -> Axes | None:
        """Sequences put back into the order they had before they were packed; None: any other choice."""
        place = place_of(saved(node, "dim"), len(axes.axes))
        (factor, *more) = axes.axes[place]
        orders = (order for order in self._orders if torch.equal(order, saved(node, "index")))
        if more or factor.kind != "sorted" or next(orders, None) is None:
            return None
        return axes.changed(place, (Factor("batch", factor.size),))


def _is_stretch(axes: Axes) -> bool:
    """Whether it is a stretch of packed data; all of it where there is one sequence, or one timestep."""
    packed = any(factor.kind == "packed" for axis in axes.axes[:2] for factor in axis)
    return axes.is_stretch or (packed and len(axes.axes) > 2 and 1 in axes.shape[:2])


def _leading(tensor: Tensor, kinds: Sequence[Kind], start: int) -> Axes:
    """The axes of a tensor of which the first are of these kinds."""
    leading: list[Axis] = [
        (Factor(kind, size, start if kind == "time" else 0),)
        for kind, size in zip(kinds, tensor.shape, strict=False)
    ]
    at = None if "time" in kinds or "packed" in kinds else start
    return Axes((*leading, *unknown(tensor.shape[len(leading) :]).axes), at)
