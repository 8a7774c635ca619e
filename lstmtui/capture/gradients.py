"""Gradients of a loss by tensors of its graph, also through activation checkpoints that are re-entrant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from lstmtui.capture.copied_gradients import copies_of, with_copies
from lstmtui.models.torch_compat import post_accumulate_hooks


def gradients_of(
    loss: Tensor,
    sources: Sequence[Tensor | GradientEdge],
    *,
    through_functions: bool,
    hooked: Set[Any] = frozenset(),
) -> Sequence[Tensor | None]:
    """∂loss/∂ each source; None for what it does not depend on.

    Args:
        loss: a scalar with a gradient.
        sources: of its graph, tensors or where they are in it.
        through_functions: whether custom autograd Functions in the graph may go backward through graphs that
            they make then. These reach their leaves only where autograd accumulates into `.grad`, which is
            as it was afterwards.
        hooked: nodes of tensors with hooks, whose gradients are as these leave them.
    """
    if not through_functions:
        return with_copies(loss, sources, hooked)
    leaves = {at: s for at, s in enumerate(sources) if isinstance(s, Tensor) and s.is_leaf}
    inner = {at: _edge_of(source) for at, source in enumerate(sources) if at not in leaves}
    with copies_of(inner) as own, _gradients_aside([*leaves.values(), *leaves_of(loss)]):
        torch.autograd.backward(loss)
        own |= {at: leaf.grad for at, leaf in leaves.items() if leaf.grad is not None}
    return [own.get(at) for at in range(len(sources))]


def _edge_of(source: Tensor | GradientEdge) -> GradientEdge:
    return get_gradient_edge(source) if isinstance(source, Tensor) else source


@contextmanager
def _gradients_aside(leaves: Sequence[Tensor]) -> Iterator[None]:
    """Within this context leaves have no gradient, and their hooks are not called."""
    saved = [(leaf, leaf.grad) for leaf in leaves]
    hooks = {id(own): own for leaf in leaves if (own := post_accumulate_hooks(leaf))}
    copies = [(own, own.copy()) for own in hooks.values()]
    try:
        for leaf in leaves:
            leaf.grad = None
        for own in hooks.values():
            own.clear()
        yield
    finally:
        for leaf, gradient in reversed(saved):
            leaf.grad = gradient
        for own, kept in copies:
            own.update(kept)


def leaves_of(result: Tensor) -> list[Tensor]:
    """The leaves of a graph."""
    return [node.variable for node in _nodes_of(result) if hasattr(node, "variable")]


def holds_functions(result: Tensor) -> bool:
    """Whether there are autograd Functions of the user's in a graph, given something that has no gradient."""
    return any(
        isinstance(node, torch.autograd.function.BackwardCFunction)
        and not hasattr(node, "recorded_in")
        and any(source is None for source, _ in node.next_functions)
        for node in _nodes_of(result)
    )


def _nodes_of(result: Tensor) -> Iterator[Any]:
    seen, nodes = set(), [result.grad_fn]
    while nodes:
        node: Any = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        nodes += [following for following, _ in node.next_functions]
