"""Gradients at very many places of a graph, in no more memory than they have themselves.

The engine keeps each gradient that it is asked for. On the CPU, with the malloc of glibc, the large pieces of
memory that the gradients of weights take in each timestep then find no room between these small ones a second
time: a loop of 1,000 timesteps takes 1,000 times the memory of its weights. Copies that are made as the
gradients come leave room, since what was copied is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from lstmtui.models.torch_compat import gradients, is_dispatched

LARGE = 128 << 10
"""Bytes of a weight, from which on malloc treats memory as large."""


def with_copies(
    loss: Tensor, sources: Sequence[Tensor | GradientEdge], hooked: Set[Any] = frozenset()
) -> Sequence[Tensor | None]:
    """∂loss/∂ each source, as `retain_grad` gives it; None for what it does not depend on.

    Args:
        loss: a scalar with a gradient.
        sources: of its graph, tensors or where they are in it.
        hooked: nodes of tensors with hooks. What the engine gives by itself is from before these where it
            goes on from the node, and from after them elsewhere.
    """
    edges = _copied(sources, hooked)
    if not edges:
        return gradients(loss, sources)
    others = [at for at in range(len(sources)) if at not in edges]
    with copies_of(edges) as copies:
        results = gradients(loss, [sources[at] for at in others])
    own: Mapping[int, Tensor | None] = {**dict(zip(others, results, strict=True)), **copies}
    return [own.get(at) for at in range(len(sources))]


@contextmanager
def copies_of(edges: Mapping[int, GradientEdge]) -> Iterator[dict[int, Tensor]]:
    """Within this context backward passes have the gradients at these places copied, by the same numbers."""
    copies: dict[int, Tensor] = {}

    def copier(at: int, output: int) -> Callable[[Sequence[Tensor | None]], None]:
        def copy(gradients: Sequence[Tensor | None]) -> None:
            if (gradient := gradients[output]) is not None:
                copies[at] = gradient.detach().clone()

        return copy

    handles = [edge.node.register_prehook(copier(at, edge.output_nr)) for at, edge in edges.items()]
    try:
        yield copies
    finally:
        for handle in handles:
            handle.remove()


def _copied(sources: Sequence[Tensor | GradientEdge], hooked: Set[Any]) -> Mapping[int, GradientEdge]:
    """The places whose gradients are copied as they come, by number: those that the engine passes anyway."""
    tensors = [source for source in sources if isinstance(source, Tensor)]
    is_large = any(tensor.is_cpu and tensor.nbytes >= LARGE for tensor in tensors)
    if is_dispatched() or not (is_large or hooked):
        return {}
    passes = dict.fromkeys((get_gradient_edge(tensor).node for tensor in tensors), True)
    edges = {at: source for at, source in enumerate(sources) if isinstance(source, GradientEdge)}
    if not is_large:
        # The engine comes to these places too, as it is asked for their gradients.
        passes |= {edge.node: True for edge in edges.values() if edge.node not in hooked}
        edges = {at: edge for at, edge in edges.items() if edge.node in hooked}
    return {at: edge for at, edge in edges.items() if _leads_on(edge.node, passes)}


def _leads_on(node: Any, passes: dict[Any, bool]) -> bool:
    """Whether a node of the graph leads to another that the engine has to come to.

    Args:
        node: of the graph.
        passes: whether the engine passes a node, as far as that is known; gets it of those looked at.
    """
    waiting = [node]
    opened = set()
    while waiting:
        last = waiting[-1]
        following = [] if last in passes else [other for other, _ in last.next_functions if other is not None]
        further = [other for other in following if other not in passes and other not in opened]
        if last not in passes and further and not any(passes.get(other) for other in following):
            opened.add(last)
            waiting.append(further[0])
            continue
        passes.setdefault(last, any(passes.get(other) for other in following))
        waiting.pop()
    return passes[node]
