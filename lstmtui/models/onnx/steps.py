"""The nodes of a body as steps: stretches that onnxruntime runs at once, and what is followed. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lstmtui.models.onnx.bodies import Body
from lstmtui.models.onnx.model import is_recurrent


@dataclass(frozen=True, eq=False)
class Step:
    """Nodes that run at once."""

    nodes: Sequence[Any]
    inputs: tuple[str, ...]
    """The names that they take from what is around them."""
    outputs: tuple[str, ...]
    """The names that are taken from them later."""
    index: int = -1
    """Which node of its body it is, where it is followed; −1: it is a stretch without recurrent nodes."""


def steps_of(body: Body, *, every_branch: bool = False) -> list[Step]:
    """The steps of a body: each recurrent node, and each that holds one, is a step of its own.

    Args:
        body: which.
        every_branch: whether an If or a call of a function is one too that holds none.
    """
    groups: list[tuple[list[Any], int]] = []
    for index, node in enumerate(body.nodes):
        held = dict(body.inner[index])
        is_branch = "function" in held or "then_branch" in held
        followed = is_recurrent(node) or any(inner.has_recurrent for inner in held.values())
        followed = followed or (every_branch and is_branch)
        if followed:
            groups.append(([node], index))
        elif groups and groups[-1][1] < 0:
            groups[-1][0].append(node)
        else:
            groups.append(([node], -1))
    steps: list[Step] = []
    needed = {value.name for value in body.outputs}
    for nodes, index in reversed(groups):
        taken = names_taken(nodes)
        outputs = {name: None for node in nodes for name in node.output if name}
        steps.append(Step(nodes, tuple(taken), tuple(name for name in outputs if name in needed), index))
        needed |= taken.keys()
    return steps[::-1]


def names_taken(nodes: Iterable[Any], own: Iterable[str] = ()) -> dict[str, None]:
    """The names that nodes take, and the graphs in them, without those they give themselves; in order."""
    own, taken = set(own), dict[str, None]()
    for node in nodes:
        taken |= dict.fromkeys(name for name in node.input if name and name not in own)
        for attribute in node.attribute:
            graphs = [*([attribute.g] if attribute.g.node else ()), *attribute.graphs]
            for graph in graphs:
                inside = {value.name for value in graph.input} | {t.name for t in graph.initializer}
                taken |= {n: None for n in names_taken(graph.node, inside) if n not in own}
                outputs = {name for node in graph.node for name in node.output}
                passed = {value.name for value in graph.output} - outputs - inside
                taken |= {name: None for name in passed if name not in own}
        own |= set(node.output)
    return taken
