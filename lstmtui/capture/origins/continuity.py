"""Which earlier call a call of a recurrent module continues, told by the states that it is given."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.weak import WeakTensorKeyDictionary

from lstmtui.capture.autograd_state import Graph
from lstmtui.capture.equality import comparable, same, same_each
from lstmtui.capture.modules.arguments import states_of, tensors_in
from lstmtui.models.unroll import States
from lstmtui.trace.state_origin import ChangeKind

_MOST_NODES = 10_000
"""How much of a graph is looked through for the call that a state comes from."""

Kind = Literal["cell", "step", "sequence"]
"""A call of a Cell, of a module that reads sequences with one timestep, and with any other number of them."""


@dataclass(eq=False)
class Chain:
    """Calls of one module, each of which continues the one before."""

    module: nn.Module
    batch: int
    graph: Graph
    goes_on: bool
    """Whether there may be further calls: in one direction, and without sequences that end."""
    thread: int = field(default_factory=threading.get_ident)
    kind: Kind = "sequence"
    """Of the last call."""
    calls: int = 0
    left: States = ()
    """Copies of the last states, which the caller may change; empty during a call."""
    number: int = -1
    """Of the call that left them."""
    is_changed: bool = False
    """Whether the last call was given other states than the one before it had left."""
    changes: tuple[ChangeKind, ...] = ()
    """What had happened to the states before the last call."""
    differentiated: int = -1
    """The number of the last call that a backward pass came back to; from then on only a call that is given
    something of `left` goes on."""


class Continuity:
    """The chains of the calls of any number of modules.

    A call goes on from an earlier one of its module where one of its initial states is what that left,
    changed or not: the very same, equal to it in some sequence, or computed from what it returned. States
    that come from no recorded call are a new beginning, or a reset within a loop: after a call with one
    timestep, or with several calls behind it, it is a reset. A call that is given no states is a beginning;
    those of a Cell always follow one another.
    """

    def __init__(self) -> None:
        self._chains: list[Chain] = []
        self._key = f"lstmtui {id(self)}"
        self._tensors = WeakTensorKeyDictionary()
        """The numbers of the calls that returned them, of tensors without a graph."""
        self._calls = 0
        self._lock = threading.RLock()

    def chain_of(
        self,
        module: nn.Module,
        hx: Any,
        batch: int,
        graph: Graph,
        kind: Kind,
        *,
        goes_on: bool = True,
    ) -> Chain:
        """The chain of a call that begins: a new one, or an earlier one that it goes on from.

        Args:
            module: that is called.
            hx: its initial states as it is given them, or None.
            batch: B.
            graph: what autograd keeps of the call.
            kind: of the call.
            goes_on: whether the call may be part of a chain of several.
        """
        states = states_of(hx)
        with self._lock:
            chain = self._goes_on_from(module, states, (batch, graph, goes_on), kind) if goes_on else None
            if chain is None:
                chain = Chain(module, batch, graph, goes_on)
                self._chains.append(chain)
            chain.is_changed = chain.calls > 0 and not _same_of_all(states, chain.left)
            chain.changes = tuple(self._changes(states, chain)) if chain.calls else ()
            chain.kind, chain.left, chain.number = kind, (), -1
            chain.calls += 1
        return chain

    def ended(self, chain: Chain, result: Any) -> None:
        """Note what a call returned: the output and the last states, or those of a Cell."""
        with self._lock:
            self._calls += 1
            chain.number = self._calls
        for tensor in _plain(tensors_in(result)):
            if tensor.grad_fn is None:
                self._tensors[tensor] = chain.number
            else:
                metadata: Any = tensor.grad_fn.metadata
                metadata[self._key] = chain.number
        last = result if chain.kind == "cell" else result[1]
        chain.left = tuple(s.detach().clone() for s in (last if isinstance(last, tuple) else (last,)))

    def _goes_on_from(
        self, module: nn.Module, states: States, kept: tuple[int, Graph, bool], kind: Kind
    ) -> Chain | None:
        own = [chain for chain in reversed(self._chains) if chain.module is module and chain.left]
        chains = [chain for chain in own if (chain.batch, chain.graph, chain.goes_on) == kept]
        last = next((chain for chain in own if chain.thread == threading.get_ident()), None)
        follows = last is not None and last in chains and last.differentiated < 0
        if kind == "cell" and follows:
            return last
        if not states:
            return None
        same = (chain for chain in chains if _same_of_all(states, chain.left))
        if (chain := next(same, None)) is not None:
            return chain
        numbers = self.calls_behind(states)
        derived = (chain for chain in chains if chain.number in numbers)
        in_part = (chain for chain in chains if same_in_part(states, chain.left))
        if (chain := next(derived, None) or next(in_part, None)) is not None:
            return chain
        is_reset = last is not None and (last.calls > 1 or last.kind == kind == "step")
        others = (chain for chain in self._chains if chain.module is not module)
        from_others = bool(numbers) or any(same_in_part(states, chain.left) for chain in others)
        return last if follows and is_reset and not from_others else None

    def ended_before(self, chain: Chain) -> list[Chain]:
        """The other chains whose last calls have ended, the last first."""
        with self._lock:
            others = [other for other in self._chains if other is not chain and other.left]
        return sorted(others, key=lambda other: -other.number)

    def calls_behind(self, states: States) -> set[int]:
        """The numbers of the calls whose results the states were computed from, without those behind them."""
        own = (self._tensors.get(state, None) for state in states)  # type: ignore[no-untyped-call]
        numbers = {number for number in own if number is not None}
        seen: set[Any] = set()
        waiting: list[Any] = [state.grad_fn for state in states]
        while waiting and len(seen) < _MOST_NODES:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            number = node.metadata.get(self._key)
            if number is not None:
                numbers.add(number)
            else:
                waiting += [source for source, _ in node.next_functions]
        return numbers

    def _changes(self, states: States, chain: Chain) -> Iterator[ChangeKind]:
        """What is other about the states of a call than what the call before it has left."""
        if chain.is_changed:
            pairs = list(zip(states, chain.left, strict=False))
            has_reset = all(comparable(a, b) and is_reset(a.detach(), b) for a, b in pairs)
            yield "reset" if has_reset else "changed"
        is_out = chain.graph == "built" and not any(state.requires_grad for state in states)
        if is_out and states and (not chain.is_changed or same_in_part(states, chain.left)):
            yield "detached"
        elif chain.number == chain.differentiated and chain.number in self.calls_behind(states):
            yield "attached"


class Link(NamedTuple):
    """A call of a chain, as it was when it began."""

    chain: Chain
    calls: int
    """How many calls of the chain had begun, with this one."""
    is_changed: bool
    changes: tuple[ChangeKind, ...]


class KnownContinuity(Continuity):
    """The chains of calls that are run again, as they were the first time.

    Args:
        links: of the calls, in the order in which they are run again.
    """

    def __init__(self, links: Iterable[Link]) -> None:
        super().__init__()
        self._again = iter(links)

    def chain_of(self, *_: Any, **__: Any) -> Chain:
        """The chain of the next call."""
        link = next(self._again)
        chain = link.chain
        chain.calls, chain.is_changed, chain.changes = link.calls, link.is_changed, link.changes
        return chain

    def ended(self, chain: Chain, result: Any) -> None:
        """Do nothing: the chains are known."""


def _same_of_all(states: States, left: States) -> bool:
    """Whether states are all that was left."""
    pairs = zip(states, left, strict=False)
    return len(states) == len(left) and all(same(a.detach(), b) for a, b in pairs)


def is_reset(a: Tensor, b: Tensor) -> bool:
    """Whether each vector of a state is 0, or as it was left."""
    return bool(((a == 0).all(-1) | same_each(a, b).all(-1)).all())


def same_in_part(states: States, left: States) -> bool:
    """Whether one of the states has in some sequence what was left of it, and that is not 0."""
    for a, b in zip(states, left, strict=False):
        if not comparable(a, b):
            continue
        equal, by_sequence = same_each(a.detach(), b), b.shape[-2] if b.dim() > 1 else 1
        rows, values = (t.reshape(-1, by_sequence, t.shape[-1]) for t in (equal, b))
        if bool((rows.all(0).all(-1) & values.any(0).any(-1)).any()):
            return True
    return False


def _plain(parts: Iterable[Tensor | PackedSequence]) -> Iterator[Tensor]:
    for part in parts:
        yield part.data if isinstance(part, PackedSequence) else part
