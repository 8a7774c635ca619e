"""The recurrent nodes of an ONNX graph as our cells, which run on what onnxruntime gave the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.autograd_state import Graph
from lstmtui.capture.graph.rest_of_graph import RestOfGraph, as_onnx_gives
from lstmtui.capture.origins.continuity import Chain, Continuity
from lstmtui.capture.parity import largest_gap
from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_request import GraphAnswer, NodeRun
from lstmtui.models.onnx.layer import OnnxLayer
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import stock_twin
from lstmtui.models.unroll import States, hx_of

_STATES = ("h", "c")
_MOST_RUNS = 256
"""How many runs that do not go on from one another are recorded."""


class CallsInARow(Continuity):
    """Consecutive calls of a graph: each recurrent node continues from its last state, or begins again."""

    def __init__(self) -> None:
        super().__init__()
        self.call = 0
        """The number of the call of the graph that is running."""
        self.gaps: list[float] = []
        """max |Δ| of each Y, Y_h and Y_c against onnxruntime's. Here, as a module is left as it was."""
        self.cut: dict[str, str] = {}
        """The places of nodes that take what the graph makes of others' h or states, and what it is."""
        self._last: dict[int, int] = {}

    def chain_of(self, *arguments: Any, **options: Any) -> Chain:
        """The chain of a call of a node, which belongs to the call of the graph that is running."""
        chain = super().chain_of(*arguments, **options)
        self._last[id(chain)] = self.call
        if len(self._chains) > _MOST_RUNS:
            raise UserError(
                f"its recurrent nodes run more than {_MOST_RUNS} times without going on from one another; "
                "module = … records one of them"
            )
        return chain

    def _goes_on_from(
        self, module: nn.Module, states: States, kept: tuple[int, Graph, bool], kind: Any
    ) -> Chain | None:
        if (chain := super()._goes_on_from(module, states, kept, kind)) is not None:
            return chain
        own = [chain for chain in reversed(self._chains) if chain.module is module and chain.left]
        last = next((c for c in own if (c.batch, c.graph, c.goes_on) == kept), None)
        return last if last is not None and self._last[id(last)] < self.call else None


class GraphModule(nn.Module):
    """Runs our cells on what onnxruntime gave the recurrent nodes.

    Args:
        answer: what the graph did.
        continuity: is told which call of the graph is running.
    """

    def __init__(self, answer: GraphAnswer, continuity: CallsInARow) -> None:
        super().__init__()
        padded = {run.layer for run in answer.runs if "sequence_lens" in run.arrays}
        self.layers = nn.ModuleList(
            _cell_of(layer, is_padded=number in padded) for number, layer in enumerate(answer.layers)
        )
        self._answer, self._continuity = answer, continuity
        self._left: dict[int, tuple[NodeRun, tuple[Tensor, ...]]] = {}
        """By layer: its last run, and the states that it left here."""
        self._returned: dict[int, tuple[NodeRun, Tensor]] = {}
        """By layer: its last run, and what it returned here, (T, B, directions · H)."""
        self.rest: RestOfGraph | None = None
        """What is computed from that, where it was asked for."""

    def forward(self, like: Tensor) -> list[tuple[int, Tensor]]:
        """Which layer ran, and its h (T, B, directions · H), for each run of a node.

        Args:
            like: has the dtype and the device in which they run.
        """
        results = []
        self.rest = None if self._answer.tape is None else RestOfGraph(self._answer.tape, like)
        for run in self._answer.runs:
            self._continuity.call = run.call
            results.append((run.layer, self._run(run, like)))
        return results

    def _run(self, run: NodeRun, like: Tensor) -> Tensor:
        layer, module = self._answer.layers[run.layer], self.layers[run.layer]
        x = self._read(run, layer, like)
        if not x.numel():
            raise UserError(f"{layer.path}: it runs on no timestep or no sequence")
        lengths = _lengths_of(run, x, layer)
        states = self._states(run, layer, like)
        turned = _turned(x, lengths) if layer.reverse else x
        output: Tensor
        more = () if lengths is None else (lengths.to(like.device),)
        output, final = module(turned, hx_of(states), *more)
        finals = final if isinstance(final, tuple) else (final,)
        self._left.pop(run.layer, None)  # so that the latest is behind the others
        self._left[run.layer] = run, finals
        returned = _turned(output, lengths) if layer.reverse else output
        self._returned.pop(run.layer, None)
        self._returned[run.layer] = run, returned
        self._compare(run, returned, finals)
        if self.rest is not None:
            self.rest.given(run, as_onnx_gives(returned, finals, run.arrays["Y"]))
        return output

    def _read(self, run: NodeRun, layer: OnnxLayer, like: Tensor) -> Tensor:
        """X as the node was given it; where it is all that another has returned, as ours returned it."""
        x = run.arrays["X"]
        if self._answer.fed_by.get(layer.path):
            for earlier, returned in reversed(self._returned.values()):
                is_of_this_call = earlier.call == run.call and returned.shape == x.shape
                if is_of_this_call and np.array_equal(_side_by_side(earlier.arrays["Y"]), x):
                    return returned
            if self.rest is None:
                self._continuity.cut[layer.path] = "what it reads"
            elif run.numbers["X"] >= 0:
                return self.rest.value(run.numbers["X"])
        return torch.as_tensor(x, device="cpu").to(like)

    def _states(self, run: NodeRun, layer: OnnxLayer, like: Tensor) -> tuple[Tensor, ...]:
        """The states that the node was given; where they are what a node has left, as our cells left it.

        So the gradient goes back into the call before, and what is carried on is known as that.
        """
        layout = layer.layout
        assert layout is not None
        batch = run.arrays["X"].shape[1]
        states = []
        for position, name in enumerate(layout.cell.states):
            initial = run.arrays.get(f"initial_{name}")
            if initial is None:
                shape = (len(layout.directions), batch, layout.state_size(name))
                states.append(like.new_zeros(shape))
                continue
            state = torch.as_tensor(initial, device="cpu").to(like)
            unexplained = (initial != 0).any(-1)  # (directions, B)
            for earlier, left in self._earlier(run.layer):
                same = unexplained & _same_rows(initial, earlier.arrays.get(f"Y_{name}"))
                if same.any() and position < len(left):
                    rows = torch.as_tensor(same, device=state.device)[..., None]
                    state = left[position] if same.all() else torch.where(rows, left[position], state)
                    unexplained &= ~same
                    break
            if not unexplained.any() or not self._answer.begins_from.get(layer.path):
                pass
            elif self.rest is not None:
                if (number := run.numbers[f"initial_{name}"]) >= 0:
                    rows = torch.as_tensor(unexplained, device=state.device)[..., None]
                    state = torch.where(rows, self.rest.value(number), state)
            elif self._left:
                self._continuity.cut.setdefault(layer.path, "the state that it begins from")
            states.append(state)
        return tuple(states)

    def _earlier(self, layer: int) -> list[tuple[NodeRun, tuple[Tensor, ...]]]:
        """The last run of each layer with what it left, that of this layer first, then the latest."""
        others = [left for number, left in reversed(self._left.items()) if number != layer]
        return [self._left[layer], *others] if layer in self._left else others

    def _compare(self, run: NodeRun, output: Tensor, finals: Sequence[Tensor]) -> None:
        """How far our numbers are from onnxruntime's."""
        theirs = [_side_by_side(run.arrays["Y"])]
        theirs += [run.arrays[f"Y_{name}"] for name in _STATES[: len(finals)]]
        for ours, other in zip((output, *finals), theirs, strict=True):
            theirs_on_host = torch.as_tensor(other, device="cpu")
            self._continuity.gaps.append(largest_gap(ours.detach().cpu(), theirs_on_host))


def _side_by_side(y: Array) -> Array:
    """Y (T, directions, B, H) as (T, B, directions · H)."""
    return y.transpose(0, 2, 1, 3).reshape(y.shape[0], y.shape[2], -1)


def _cell_of(layer: OnnxLayer, *, is_padded: bool) -> nn.Module:
    """PyTorch's own module where it has the cell, which is faster; `Recurrent` elsewhere, and for padding."""
    if layer.layout is None:
        return nn.Identity()  # It has run, and our cells have not what it does.
    layout = layer.layout
    parameters = {name: torch.as_tensor(array, device="cpu") for name, array in layer.parameters().items()}
    if layout.cell.name != "lstm_coupled" and not is_padded:
        twin = stock_twin(layout, parameters)
        if twin is not None:
            return twin
    module = Recurrent(
        layout.cell,
        layout.input_size,
        layout.hidden_size,
        bidirectional=layout.bidirectional,
        bias=layout.bias,
        dtype=next(iter(parameters.values())).dtype,
    )
    module.load_state_dict(parameters)
    return module


def _same_rows(initial: Array, left: Array | None) -> Array:
    """Which vectors of a state (directions, B, H) are what an earlier run has left, (directions, B)."""
    if left is None or left.shape != initial.shape:
        return np.zeros(initial.shape[:-1], bool)
    return np.asarray((left == initial).all(-1))


def _lengths_of(run: NodeRun, x: Tensor, layer: OnnxLayer) -> Tensor | None:
    """sequence_lens, where one is shorter than X."""
    lengths = run.arrays.get("sequence_lens")
    if lengths is None or (lengths == len(x)).all():
        return None
    if (lengths < 1).any():
        raise UserError(f"{layer.path}: sequence_lens has a sequence without a timestep")
    return torch.as_tensor(lengths, dtype=torch.int64, device="cpu")


def _turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(T, B, ·) with the last timestep of each sequence first; padding stays at the end."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(len(x), device="cpu")[:, None]
    order = torch.where(steps < lengths, lengths - 1 - steps, steps).to(x.device)
    return x.gather(0, order[..., None].expand_as(x))
