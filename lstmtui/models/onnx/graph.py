"""What an ONNX graph takes and gives, and which of its inputs are states only. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lstmtui.models.onnx.bodies import Body
from lstmtui.models.onnx.model import OWN_DOMAINS, is_recurrent
from lstmtui.printable import printable

Sources = frozenset[tuple[str, str]]
"""What something is computed from: ("input", its name) of the graph, or ("node", its place)."""


@dataclass(frozen=True)
class GraphValue:
    """An input or an output of a graph, as it is declared."""

    name: str
    kind: str
    """The dtype: "float32"; "sequence" and the like for what is no tensor."""
    shape: tuple[int | str, ...] | None
    """Sizes, or names of sizes that are open; None where it is not declared."""

    def __str__(self) -> str:
        if self.shape is None:
            return f"{printable(self.name)} {self.kind}"
        sizes = ", ".join(
            printable(size) or "·" if isinstance(size, str) else str(size) for size in self.shape
        )
        return f"{printable(self.name)} ({sizes}{',' if len(self.shape) == 1 else ''}) {self.kind}"


def declared(values: Iterable[Any]) -> tuple[GraphValue, ...]:
    """The inputs or outputs of an `onnx.GraphProto`."""
    return tuple(_declared(value) for value in values)


def _declared(value: Any) -> GraphValue:
    from onnx import helper

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return GraphValue(value.name, (kind or "unknown").removesuffix("_type"), None)
    own = value.type.tensor_type
    try:
        dtype = helper.tensor_dtype_to_np_dtype(own.elem_type).name
    except KeyError:
        dtype = "unknown"
    if not own.HasField("shape"):
        return GraphValue(value.name, dtype, None)
    sizes = (d.dim_value if d.HasField("dim_value") else d.dim_param for d in own.shape.dim)
    return GraphValue(value.name, dtype, tuple(sizes))


@dataclass(frozen=True)
class Dependencies:
    """What the recurrent nodes of a graph are computed from, by their places."""

    states: Mapping[str, Sources]
    """What the initial states of each are."""
    others: Mapping[str, Sources]
    """What everything else that each takes is."""

    @property
    def of_states(self) -> Sources:
        """All that any initial state is computed from."""
        return Sources().union(*self.states.values())

    @property
    def of_others(self) -> Sources:
        """All that anything else is computed from that a recurrent node takes."""
        return Sources().union(*self.others.values())


def dependencies(body: Body, handed_on: Mapping[str, str]) -> Dependencies:
    """What the recurrent nodes are computed from: inputs of the graph, and one another.

    Args:
        body: the graph's.
        handed_on: its inputs that get what an output of the call before was.
    """
    reached = _Reached()
    own = {name: Sources({("input", name)}) for name in body.inputs if name not in body.initializers}
    outputs = reached.follow(body, own)
    if handed_on:
        reached.follow(body, own | {name: own[name] | outputs for name in handed_on if name in own})
    return Dependencies(reached.states, reached.others)


def state_inputs(body: Body) -> tuple[str, ...]:
    """The graph's inputs that reach initial states of its recurrent nodes, and nothing else that these take.

    Args:
        body: the graph's.
    """
    own = dependencies(body, {})
    only = own.of_states - own.of_others
    return tuple(name for name in body.inputs if ("input", name) in only)


class _Reached:
    """What each recurrent node's initial states, and its other inputs, are computed from."""

    def __init__(self) -> None:
        self.states: dict[str, Sources] = {}
        self.others: dict[str, Sources] = {}

    def follow(self, body: Body, sources: Mapping[str, Sources]) -> Sources:
        """Go through a body; what its outputs are computed from, all of them together."""
        own = dict(sources)
        for index, (node, held) in enumerate(zip(body.nodes, body.inner, strict=True)):
            every = _of(own, node.input)
            if is_recurrent(node):
                place = body.place_of(index)
                states, others = _of(own, node.input[5:7]), _of(own, [*node.input[:5], *node.input[7:]])
                self.states[place] = self.states.get(place, Sources()) | states
                self.others[place] = self.others.get(place, Sources()) | others
                every |= {("node", place)}
            if node.op_type in ("Shape", "Size") and node.domain in OWN_DOMAINS:
                every = Sources()  # How long something is does not depend on its numbers.
            for _, inner in held:
                around = own if inner.call is None else {}
                taken = every
                for _ in range(2 if node.op_type in ("Loop", "Scan") and inner.has_recurrent else 1):
                    every |= self.follow(inner, {**around, **dict.fromkeys(inner.inputs, taken)})
                    taken = every  # A round takes what the one before has given.
            own |= {name: every for name in node.output if name}
        return _of(own, [value.name for value in body.outputs])


def nodes_of(sources: Sources) -> tuple[str, ...]:
    """The places of the recurrent nodes among sources."""
    return tuple(sorted(name for kind, name in sources if kind == "node"))


def _of(sources: Mapping[str, Sources], names: Iterable[str]) -> Sources:
    return Sources().union(*(sources.get(name, Sources()) for name in names))


def is_batch_first(body: Body, name: str) -> bool | None:
    """Whether an input of a graph comes with the sequences before the timesteps.

    It does where it is transposed on its way to X of a recurrent node, and else passes operators only that
    leave its axes in their order; None where that is not known.

    Args:
        body: the graph's.
        name: of the input.
    """
    ways = (_way_to(body, node, _IN_PLACE) for node in body.nodes if is_recurrent(node))
    return next((is_turned for source, is_turned in ways if source == name), None)


def reads_input(body: Body) -> bool:
    """Whether X of a recurrent node is an input of the graph as it is, or with its axes in another order."""
    nodes = [node for node in body.nodes if is_recurrent(node)]
    return any(_way_to(body, node, ("Identity", "Cast", "Dropout"))[0] in body.inputs for node in nodes)


def _way_to(body: Body, node: Any, operators: Collection[str]) -> tuple[str, bool]:
    """Where X comes from, back through operators; and whether it is transposed, once, on the way."""
    makers = {output: maker for maker in body.nodes for output in maker.output}
    at, is_turned = node.input[0] if node.input else "", False
    for _ in body.nodes:
        maker = makers.get(at)
        if maker is None or not maker.input:
            break
        if maker.op_type == "Transpose":
            perm = next((list(a.ints) for a in maker.attribute if a.name == "perm"), None)
            if perm != [1, 0, 2] or is_turned:
                break
            is_turned = True
        elif maker.op_type not in operators:
            break
        at = maker.input[0]
    return at, is_turned


_IN_PLACE = (
    "Identity", "Cast", "Dropout", "MatMul", "Add", "Sub", "Mul", "Div", "Relu", "Tanh", "Sigmoid",
    "LayerNormalization", "Gather",
)  # fmt: skip
