"""Cells called in a loop of the user's own: each call a timestep of one run.

The user's code runs as it is, with PyTorch's own cells in it. Of every call its input, the states it was
given and those it returned are kept, and where the graph comes back through them, their total derivatives.
From these every other quantity follows without the loop: given the states before it, a call does not
depend on the other calls, so the equations of all of them are evaluated, and differentiated, as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmtui.capture.autograd_state import graph
from lstmtui.capture.devices import check_memory
from lstmtui.capture.equality import same
from lstmtui.capture.loss.reads import Reads, brought_back, sizes_of, without
from lstmtui.capture.module_runs import ModuleRun, joined_recordings
from lstmtui.capture.parity import largest_gap
from lstmtui.capture.precision import cast, computed_in, full_precision
from lstmtui.capture.products import precision_of
from lstmtui.capture.progress import Progress
from lstmtui.capture.recording import Recording, Repeatable
from lstmtui.capture.vector_jacobian import vector_jacobian
from lstmtui.models.unroll import States, unroll

_CHECKED = 1024
"""Calls between two looks at whether what they become fits into memory."""

ROWS = 4096
"""How many timesteps times sequences are evaluated together."""


@dataclass
class CellCall(Repeatable):
    """One call of a cell; tensors are (B, units)."""

    x: Tensor
    before: States
    parameters: dict[str, Tensor]
    dtype: torch.dtype
    """What its gates are computed in."""
    after: States = ()
    is_changed: bool = False
    """Whether the states before it are others than the call before it left."""
    is_cut: bool = False
    """Whether no gradient goes back from it to the states before it."""
    d_before: Tensor | None = None
    """∂L/∂h before it, by this call alone."""
    derivatives: tuple[Tensor | None, ...] = ()
    """∂L/∂ the states it returned, by everything that follows; empty where the loss was not reached."""


@dataclass
class CellLoop:
    """The consecutive calls of one cell, and the run they become."""

    run: ModuleRun
    progress: Progress
    anchor: Tensor
    layer: int = 0
    """Which layer of its module the cell is."""
    calls: list[CellCall] = field(default_factory=list)

    def call(
        self,
        original: Callable[..., Any],
        x: Tensor,
        hx: Any,
        parameters: dict[str, Tensor],
        *,
        is_changed: bool = False,
    ) -> Tensor | tuple[Tensor, ...]:
        """Let the cell compute one timestep, and keep what went in and out.

        Args:
            original: the cell's own forward.
            x: (B, input), or (input,) unbatched.
            hx: the states as the cell takes them, or None for zeros.
            parameters: by base name, as they are in this call.
            is_changed: whether the states are others than the call before returned.
        """
        if not len(self.calls) % _CHECKED:
            check_memory(_size(self.run) * (len(self.calls) + _CHECKED), x.dtype)
        result = original(x, hx)
        after = result if isinstance(result, tuple) else (result,)
        states = after_zeros(after) if hx is None else hx if isinstance(hx, tuple) else (hx,)
        before = tuple(self._kept(s) for s in states)
        call = CellCall(self._kept(x), before, parameters, computed_in(x), is_changed=is_changed)
        # What a checkpoint holds has a graph in its second run only.
        is_out = graph() == "built" and not any(s.requires_grad for s in states)
        call.is_cut = hx is None or is_out
        call.after = tuple(self._kept(s, copy=False) for s in after)
        self.calls.append(call)
        self.run.steps = self.run.calls = len(self.calls)
        returned = _Returned.apply(call, self.anchor, *after)  # type: ignore[no-untyped-call]
        self.run.last_h = returned[0].reshape(1, self.run.batch, -1)
        self.progress.advance(1)
        return returned if isinstance(result, tuple) else returned[0]  # type: ignore[no-any-return]

    def finish(self) -> None:
        """Make the run's recording from the calls; after the loss has been differentiated."""
        parts = []
        for parameters, calls in _by_parameters(self.calls):
            count = max(1, ROWS // self.run.batch)
            for start in range(0, len(calls), count):
                parts.append(self._recording(parameters, calls[start : start + count]))
        whole = joined_recordings(parts)
        computed, made = whole.values["h"], torch.stack([call.after[0] for call in self.calls])
        parities = [self.run.parity or 0.0, largest_gap(computed, made)]
        self.run.parity = max(parities, key=lambda p: (p != p, p))
        for position, state in enumerate(whole.cell.states):
            # The states are those the cell itself returned; what the equations give differs by rounding.
            whole.values[state] = torch.stack([call.after[position] for call in self.calls])
        whole.changes = {
            t: dict(zip(whole.cell.states, call.before, strict=True))
            for t, call in enumerate(self.calls)
            if t and call.is_changed
        }
        whole.reads = self._reads()
        self.run.recordings[self.layer, "forward"] = whole

    def _reads(self) -> Reads:
        """What of ∂L/∂h does not come from the next call; after the last, of every state."""
        last = len(self.calls) - 1
        sizes = np.zeros((last + 1, self.run.batch))
        for t, (call, later) in enumerate(pairwise(self.calls)):
            total = _derivative(call, 0)
            if not later.is_cut and later.d_before is not None:
                began, left = later.before[0], call.after[0]
                total = without(total, brought_back(later.d_before, began, left, total))
            sizes[t] = sizes_of(total)
        finals = tuple(_derivative(self.calls[-1], n) for n in range(len(self.calls[-1].after)))
        return Reads(sizes, finals, np.full(self.run.batch, last))

    def _recording(self, parameters: dict[str, Tensor], calls: list[CellCall]) -> Recording:
        """The equations of some calls, evaluated and differentiated as one batch."""
        cell, shape = self.run.layout.cell, (len(calls), self.run.batch, -1)
        dtype = calls[0].dtype
        recording = Recording(cell, parameters, self.progress)
        x = cast(torch.stack([call.x for call in calls]), dtype)
        before = tuple(
            cast(torch.stack([call.before[n] for call in calls]), dtype) for n in range(len(cell.states))
        )
        leaf_x = x.flatten(0, 1).unsqueeze(0).detach().requires_grad_()
        leaf_states = tuple(s.flatten(0, 1).detach().requires_grad_() for s in before)
        leaves = {n: cast(p.detach(), dtype).detach().requires_grad_() for n, p in parameters.items()}
        with torch.enable_grad(), full_precision(x):
            seen, _, finals = unroll(cell, leaves, leaf_x, leaf_states)
        recording.precision = precision_of(x)
        values = {"x": leaf_x, **{name: value[0] for name, value in seen.items()}}
        sources = [*values.values(), *leaf_states, *leaves.values()]
        incoming = [
            torch.stack([_derivative(call, n) for call in calls]).flatten(0, 1).to(final.dtype)
            for n, final in enumerate(finals)
        ]
        gradients = vector_jacobian(sources, zip(finals, incoming, strict=True))
        for (name, value), gradient in zip(values.items(), gradients, strict=False):
            recording.values[name] = value.detach().reshape(shape)
            recording.derivatives[name] = gradient.reshape(shape)
        rest = gradients[len(values) :]
        for n, state in enumerate(cell.states):
            recording.initial[state] = calls[0].before[n]
            recording.initial["d" + state] = rest[n].reshape(shape)[0]
        for call, d_before in zip(calls, rest[0].reshape(shape), strict=True):
            call.d_before = d_before
        recording.parameter_derivatives = dict(zip(leaves, rest[len(leaf_states) :], strict=True))
        self.progress.advance(len(calls))
        return recording

    def _kept(self, tensor: Tensor, copy: bool = True) -> Tensor:
        """The tensor as (B, units), out of the graph, and out of reach of what the user's code does next."""
        kept = tensor.detach().reshape(self.run.batch, -1)
        return kept.clone() if copy else kept


class _Returned(torch.autograd.Function):
    """Passes on what a cell returned, and keeps the total derivatives by it on their way back."""

    @staticmethod
    def forward(ctx: Any, call: CellCall, anchor: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        ctx.recorded_in = call
        ctx.set_materialize_grads(False)
        # Clones: a view made in here could not be changed in place, as loops that reset episodes do.
        return tuple(state.clone() for state in states)

    @staticmethod
    def backward(ctx: Any, *derivatives: Tensor | None) -> tuple[Tensor | None, ...]:
        ctx.recorded_in.reached().derivatives = derivatives
        return None, None, *derivatives


def made_by(node: Any, output: int) -> tuple[Any, int]:
    """What has made a result of a node: of one that hands on what a cell returned the cell's own node."""
    if getattr(node, "_forward_cls", None) is _Returned:
        cells: tuple[Any, int] = node.next_functions[1 + output]
        return cells if cells[0] is not None else (node, output)
    return node, output


def after_zeros(after: States) -> States:
    """The states a cell begins from where it is given none."""
    return tuple(torch.zeros_like(s) for s in after)


def _size(run: ModuleRun) -> int:
    """How many numbers a timestep of the run takes in the trace, in one layer, derivatives included."""
    layout = run.layout
    return 2 * run.batch * (layout.input_size + layout.hidden_size * len(layout.cell.quantities))


def _derivative(call: CellCall, position: int) -> Tensor:
    derivative = call.derivatives[position] if call.derivatives else None
    after = call.after[position]
    return torch.zeros_like(after) if derivative is None else derivative.detach().reshape(after.shape)


def _by_parameters(calls: list[CellCall]) -> Iterator[tuple[dict[str, Tensor], list[CellCall]]]:
    """The calls in groups between which the parameters changed, as those of a spectral norm do."""
    kinds: list[dict[str, Tensor]] = []

    def kind(call: CellCall) -> int:
        last = kinds[-1] if kinds else {}
        if not last or any(last[n] is not p and not same(last[n], p) for n, p in call.parameters.items()):
            kinds.append(call.parameters)
        return len(kinds) - 1

    for index, group in groupby(calls, kind):
        yield kinds[index], list(group)
