"""What has nodes in an ONNX model: its graph, branches, the bodies of loops, functions. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lstmtui.errors import UserError
from lstmtui.models.onnx.model import is_recurrent, versions_of
from lstmtui.printable import printable

DEEPEST = 32
"""How many bodies may lie in one another."""
MOST_BODIES = 4096
"""How many there may be, each call of a function a body of its own."""

_SHORT = {"then_branch": "then", "else_branch": "else"}
"""What an attribute is called in a place."""

_Functions = Mapping[tuple[str, str, str], Any]


@dataclass(eq=False)
class Body:
    """Nodes that run one after another, with the names that they give values to."""

    place: str
    """Where it is: "If_0/then"; empty for the graph itself."""
    nodes: Sequence[Any]
    """`onnx.NodeProto` each."""
    inputs: tuple[str, ...]
    outputs: tuple[Any, ...]
    """`onnx.ValueInfoProto` each; of a function with a name only."""
    initializers: dict[str, Any]
    versions: dict[str, int]
    """By domain, of the operators."""
    outer: Body | None = None
    """The body whose names it may use: that around a branch; None for a function, which has its own alone."""
    call: Any = None
    """The node that calls it, where it is a function; its caller is `caller`."""
    caller: Body | None = None
    names: list[str] = field(default_factory=list)
    """What each node is called, different in all of them."""
    inner: list[list[tuple[str, Body]]] = field(default_factory=list)
    """The bodies of each node, by the name of their attribute; a function's by "function"."""

    @cached_property
    def has_recurrent(self) -> bool:
        """Whether there is a recurrent node in it or in what it holds."""
        return any(is_recurrent(node) for node in self.nodes) or any(
            body.has_recurrent for held in self.inner for _, body in held
        )

    def walk(self) -> Iterator[Body]:
        """Itself and everything in it, in the order of the nodes."""
        yield self
        for held in self.inner:
            for _, body in held:
                yield from body.walk()

    def place_of(self, index: int) -> str:
        """The place of a node: "If_0/then/lstm"."""
        return _inside(self.place, self.names[index])


def bodies_of(model: Any) -> Body:
    """The graph of a model, with everything in it.

    Raises:
        UserError: its functions call each other in a circle, or there are too many bodies.
    """
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
    return _Reader(functions).graph(model.graph, "", versions_of(model), None, ())


class _Reader:
    """Reads bodies within their bounds."""

    def __init__(self, functions: _Functions) -> None:
        self._functions = functions
        self._count = 0

    def graph(
        self, graph: Any, place: str, versions: dict[str, int], outer: Body | None, within: tuple[Any, ...]
    ) -> Body:
        """A graph: of a model, or an attribute of a node."""
        inputs = tuple(value.name for value in graph.input)
        initializers = {tensor.name: tensor for tensor in graph.initializer}
        body = Body(place, graph.node, inputs, tuple(graph.output), initializers, versions, outer)
        return self._filled(body, within)

    def _function(self, function: Any, node: Any, place: str, caller: Body, within: tuple[Any, ...]) -> Body:
        """A function as a node calls it, with that node's attributes in place of its own names for them."""
        import onnx

        attributes = {attribute.name: attribute for attribute in node.attribute}
        attributes |= {a.name: a for a in function.attribute_proto if a.name not in attributes}
        nodes = [_with_attributes(inner, attributes) for inner in function.node]
        outputs = tuple(onnx.ValueInfoProto(name=name) for name in function.output)
        body = Body(place, nodes, tuple(function.input), outputs, {}, versions_of(function))
        body.call, body.caller = node, caller
        return self._filled(body, within)

    def _filled(self, body: Body, within: tuple[Any, ...]) -> Body:
        self._count += 1
        if self._count > MOST_BODIES or len(within) > DEEPEST:
            raise UserError(
                f"its branches, loops and functions are more than {MOST_BODIES:,}, or lie more than "
                f"{DEEPEST} deep in one another"
            )
        taken: set[str] = set()
        for node in body.nodes:
            name = _name(node, taken)
            taken.add(name)
            body.names.append(name)
            body.inner.append(list(self._held(node, name, body, within)))
        return body

    def _held(self, node: Any, name: str, body: Body, within: tuple[Any, ...]) -> Iterator[tuple[str, Body]]:
        place = _inside(body.place, name)
        key = (node.domain, node.op_type, getattr(node, "overload", ""))
        if (function := self._functions.get(key)) is not None:
            if key in within:
                raise UserError(f"its function {printable(node.op_type)} calls itself")
            yield "function", self._function(function, node, place, body, (*within, key))
            return
        for attribute in node.attribute:
            for graph in (*([attribute.g] if _is_graph(attribute) else ()), *attribute.graphs):
                short = _SHORT.get(attribute.name, attribute.name)
                inside = (*within, attribute.name)
                yield attribute.name, self.graph(graph, f"{place}/{short}", body.versions, body, inside)


def _with_attributes(node: Any, attributes: Mapping[str, Any]) -> Any:
    """A node of a function with the attributes that its caller gave, in the graphs that it holds too."""
    own = type(node)()
    own.CopyFrom(node)
    kept = []
    for attribute in own.attribute:
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in attributes:
                continue
            name = attribute.name
            attribute.CopyFrom(attributes[attribute.ref_attr_name])
            attribute.name = name
        if _is_graph(attribute):
            nodes = [_with_attributes(inner, attributes) for inner in attribute.g.node]
            del attribute.g.node[:]
            attribute.g.node.extend(nodes)
        kept.append(attribute)
    if len(kept) < len(own.attribute):
        copies = [type(attribute).FromString(attribute.SerializeToString()) for attribute in kept]
        del own.attribute[:]
        own.attribute.extend(copies)
    return own


def _is_graph(attribute: Any) -> bool:
    """Whether an attribute is a graph: its field of one letter."""
    return bool(attribute.HasField("g"))


def _name(node: Any, taken: set[str]) -> str:
    """A node's own name, or that of its first output, and a number where it is taken."""
    own = node.name or next((output for output in node.output if output), "") or node.op_type
    name, number = own, 2
    while name in taken:
        name, number = f"{own}_{number}", number + 1
    return name


def _inside(place: str, name: str) -> str:
    return f"{place}/{name.lstrip('/')}" if place else name
