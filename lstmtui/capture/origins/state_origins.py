"""Where the states that a call of a recurrent module is given come from, by identity and by the graph."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lstmtui.capture.equality import equal
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.modules.plain_attributes import plain_attributes
from lstmtui.capture.origins.drawn_tensors import DrawnTensors
from lstmtui.cells.layout import Layout
from lstmtui.models.unroll import States
from lstmtui.trace.state_origin import BeginningKind, StateOrigin
from lstmtui.wording import listed

DRAWN = "numbers drawn at random in this call"
_MOST_NODES = 10_000
"""How much of a graph is looked through."""

Place = tuple[int, str]
"""A layer of a module, and a direction."""


class Ended(NamedTuple):
    """What an earlier call left."""

    path: str
    """Of its module."""
    layout: Layout
    states: States
    """Its last states, as the caller got them."""
    number: int
    """Of the call."""


class Beginning(NamedTuple):
    """The origin of one state."""

    kind: BeginningKind
    text: str


class StateOrigins:
    """Finds out where the states come from that a model begins to run with.

    Args:
        root: the model; what it keeps (parameters, buffers, other attributes) has a name. None: nothing has.
        drawn: the tensors that are drawn at random while it runs. None: that is not known.
        arguments: what the model is called with, whose graphs are none of its own earlier calls.
        is_older: whether a node of a graph is of an earlier call. None: each that is made before now, here.
        of_input: whether a leaf of a graph is a part of what the model is called with.
    """

    def __init__(
        self,
        root: nn.Module | None = None,
        drawn: DrawnTensors | None = None,
        arguments: Any = (),
        is_older: Callable[[Any], bool] | None = None,
        of_input: Callable[[Tensor], bool] = lambda leaf: False,
    ) -> None:
        self._given = {tensor.grad_fn for tensor in tensors_in(arguments) if isinstance(tensor, Tensor)} - {
            None
        }
        self._of_input = of_input
        self._drawn = DrawnTensors() if drawn is None else drawn
        kept = () if root is None else _kept_tensors(root)
        self._kept = {id(tensor): (tensor, name) for name, tensor in kept}
        """The tensors too, so that no other gets the id of one."""
        self._is_older = older_than_now() if is_older is None else is_older

    def beginnings(
        self,
        layout: Layout,
        hx: States,
        ended: Sequence[Ended] = (),
        behind: Collection[int] = (),
        before: States = (),
    ) -> dict[Place, StateOrigin]:
        """What every layer and direction of a called module begins from.

        Args:
            layout: of the module.
            hx: its initial states, each (layers · directions, B, units), or (B, units) of a Cell; none where
                it is given none.
            ended: what the earlier calls of other modules have left, the last first.
            behind: the numbers of the calls whose results the states are computed from.
            before: the states that the module ended with in its last call before the model began to run.
        """
        places = layout.places
        if not hx:
            return dict.fromkeys(places, StateOrigin("zeros", "zeros"))
        computed_from = [call.path for call in ended if call.number in behind]
        earlier = before if len(before) == len(hx) else (None,) * len(hx)
        whole = [self._of_whole(state, computed_from, was) for state, was in zip(hx, earlier, strict=True)]
        result = {}
        for at, place in enumerate(places):
            parts = [state[at] if len(places) > 1 or state.shape[0] == 1 else state for state in hx]
            own = [
                _left_by(part, n, ended) or w for n, (part, w) in enumerate(zip(parts, whole, strict=True))
            ]
            result[place] = together(own, layout.cell.states)
        return result

    def _of_whole(self, state: Tensor, computed_from: list[str], before: Tensor | None) -> Beginning:
        """Where a state comes from, all of its layers together."""
        leaves, is_older = self._behind(state)
        kept = self._kept.get(id(state))
        if is_older:
            name = "a state" if kept is None else kept[1]
            return Beginning("earlier graph", f"{name}, which hangs on the graph of an earlier call")
        if kept is not None and not isinstance(state, nn.Parameter):
            return Beginning("carried", f"what {kept[1]} was before this call")
        if before is not None and equal(state.detach(), before) and bool(before.any()):
            return Beginning("carried", "what it ended with in the call before")
        if computed_from:
            return Beginning("computed", f"what is computed of what {_listed(computed_from)} returned")
        if state in self._drawn:
            return Beginning("drawn", DRAWN)
        if leaves and all(id(leaf) in self._kept for leaf in leaves):
            names = _listed([self._kept[id(leaf)][1] for leaf in leaves])
            is_itself = len(leaves) == 1 and is_expanded(state, leaves[0])
            how = "the parameter" if is_itself else "what is computed from"
            return Beginning("parameter", f"{how} {names}")
        if leaves and all(isinstance(leaf, nn.Parameter) for leaf in leaves):
            return Beginning("parameter", "what is computed from learned parameters")
        if not bool(state.detach().any()):
            return Beginning("zeros", "zeros")
        return Beginning("given", "a state that is given to it")

    def _behind(self, state: Tensor) -> tuple[list[Tensor], bool]:
        """The leaves of the graph behind a state, and whether a part of it is from before the model ran."""
        leaves = [state] if state.is_leaf and state.requires_grad else []
        seen: set[Any] = set()
        waiting: list[Any] = [state.grad_fn]
        while waiting and len(seen) < _MOST_NODES:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node in self._given:
                continue
            if (leaf := getattr(node, "variable", None)) is not None:
                if not self._of_input(leaf):
                    leaves.append(leaf)
            elif self._is_older(node):
                return leaves, True
            waiting += [source for source, _ in node.next_functions]
        return leaves, False


def older_than_now() -> Callable[[Any], bool]:
    """What tells the nodes of a graph that this thread has made before now from later ones."""
    with torch.inference_mode(False), torch.enable_grad():
        first = _number_of(torch.zeros((), requires_grad=True).clone().grad_fn)
    thread = threading.get_ident()  # each counts its own nodes
    return lambda node: threading.get_ident() == thread and _number_of(node) < first


def _left_by(part: Tensor, position: int, ended: Sequence[Ended]) -> Beginning | None:
    """The layer that ended with exactly these numbers, unless they are all 0.

    Args:
        part: a state of one layer and direction.
        position: which of its states.
        ended: what earlier calls have left.
    """
    part = part.detach()
    if not bool(part.any()):
        return None
    for call in ended:
        state = call.states[min(position, len(call.states) - 1)]
        places = call.layout.places
        rows = state if len(places) > 1 or state.shape[0] == 1 else state[None]
        for (layer, direction), row in zip(places, rows, strict=False):
            if equal(row, part):
                place = f" l{layer}" if call.layout.num_layers > 1 else ""
                place += f" {direction}" if call.layout.bidirectional else ""
                return Beginning("layer", f"what {call.path or 'the layer'}{place} ended with")
    return None


def is_expanded(state: Tensor, parameter: Tensor) -> bool:
    """Whether a state is a parameter's own numbers, for every sequence the same."""
    try:
        return torch.equal(state.detach(), parameter.detach().expand_as(state))
    except RuntimeError:
        return False


def together(parts: Sequence[Beginning], states: Sequence[str]) -> StateOrigin:
    """One sentence for all states of a layer."""
    if len({part.text for part in parts}) == 1:
        return StateOrigin(*parts[0])
    worst = max(parts, key=lambda part: _SAID_FIRST.index(part.kind))
    texts = [f"{part.text} ({state})" for state, part in zip(states, parts, strict=True)]
    return StateOrigin(worst.kind, listed(texts))


_SAID_FIRST: tuple[BeginningKind, ...] = (
    "zeros", "given", "parameter", "layer", "computed", "carried", "drawn", "earlier graph"
)  # fmt: skip


def _kept_tensors(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Everything that a model keeps, by the path at which it does."""
    yield from root.named_parameters()
    yield from root.named_buffers()
    for path, module in root.named_modules():
        for name, value in plain_attributes(module):
            for tensor in tensors_in(value):
                if isinstance(tensor, Tensor):
                    yield (f"{path}.{name}" if path else name), tensor


def _number_of(node: Any) -> int:
    """Rises with every node that a thread makes; that of a leaf is the largest there is."""
    return int(node._sequence_nr())


def _listed(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(name or "the layer" for name in names))
    return " and ".join(different[:3]) + (" …" if len(different) > 3 else "")
