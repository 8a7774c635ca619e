"""A recurrent layer of an ONNX model: a node, with those that are stacked on it. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lstmtui.cells import CELLS
from lstmtui.cells.layout import Layout
from lstmtui.models.checkpoints.found_layer import sizes_of
from lstmtui.models.checkpoints.module_sizes import MOST_LAYERS
from lstmtui.models.onnx.constants import Constants, attributes
from lstmtui.models.onnx.graph import GraphValue
from lstmtui.models.onnx.node import OnnxNode
from lstmtui.printable import printable
from lstmtui.wording import counted, listed

if TYPE_CHECKING:
    from lstmtui.arrays import Array


_MOST_LENGTHS = 8


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX model holds."""

    layers: tuple[OnnxLayer, ...]
    inputs: tuple[GraphValue, ...]
    """Of the graph, those that have no value of their own."""
    outputs: tuple[GraphValue, ...]
    state_inputs: tuple[str, ...]
    """The inputs that are initial states of its layers, and nothing else."""
    is_layer_alone: bool
    """Whether the graph is one layer and nothing else that computes."""
    operators: tuple[str, ...]
    """Every operator in it, in alphabetical order."""
    batch_first: tuple[str, ...] = ()
    """The inputs that have the sequences before the timesteps."""
    time_first: tuple[str, ...] = ()
    """Those that have the timesteps before the sequences; of the others it is not known."""

    @property
    def is_more_than_a_layer(self) -> bool:
        """Whether the whole graph is what its layers are to be run in, where nothing else is said."""
        computed = any(node.computed for layer in self.layers for node in layer.nodes)
        is_sound = any(layer.layout is not None for layer in self.layers)
        return is_sound and (computed or not self.is_layer_alone)

    @property
    def why_none(self) -> str:
        """Why there is no recurrent layer in it."""
        has = ", ".join(self.operators[:_MOST_OPERATORS]) + (
            " …" if len(self.operators) > _MOST_OPERATORS else ""
        )
        written_out = {"Sigmoid", "Tanh"} <= {*self.operators}
        hint = "; a recurrence that is written out in such operators is not recognised" if written_out else ""
        return f"it has no LSTM, GRU or RNN node, only {has}{hint}"

    def layer(self, path: str) -> OnnxLayer | None:
        """The layer of a place, "If_0/then/lstm", or of a node's own name where only one has it."""
        exact = [layer for layer in self.layers if layer.path == path]
        ends = [layer for layer in self.layers if layer.path.endswith("/" + path)]
        return exact[0] if exact else ends[0] if len(ends) == 1 else None


_MOST_OPERATORS = 20


@dataclass(frozen=True)
class OnnxLayer:
    """A recurrent node, with those that are stacked on it."""

    path: str
    """The first node's place: its name, behind the names of the nodes whose graphs it is in."""
    layout: Layout | None
    """Its sizes; None where it is not supported, and `wrong` says why."""
    wrong: str = ""
    nodes: tuple[OnnxNode, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def facts(self) -> tuple[str, ...]:
        """What is to be known of it beside its sizes: states, activations, what the file has for ever."""
        if self.layout is None:
            return ()
        first = self.nodes[0]
        states = listed(self.layout.cell.states)
        facts = [f"states {states}", "activations " + " ".join(dict.fromkeys(first.activations))]
        fixed = {
            f"initial_{state[0]} is for {counted(array.shape[1], 'sequence')} for ever": None
            for node in self.nodes
            for state, array in node.initial.items()
            if not isinstance(array, float)
        }
        if self.lengths is not None:
            lengths = [str(length) for length in self.lengths.reshape(-1)[:_MOST_LENGTHS]]
            more = " …" if self.lengths.size > _MOST_LENGTHS else ""
            fixed[f"sequence_lens is {', '.join(lengths)}{more} for ever"] = None
        computed = list(dict.fromkeys(key for node in self.nodes for key in node.computed))
        if computed:
            facts.append(f"the graph works out {listed(computed)}")
        return (*facts, *fixed)

    @property
    def reverse(self) -> bool:
        """Whether the nodes read the sequence from its end only."""
        return bool(self.nodes) and self.nodes[0].direction == "reverse"

    @property
    def lengths(self) -> Array | None:
        """sequence_lens, where it is a constant."""
        return next((node.lengths for node in self.nodes if node.lengths is not None), None)

    def parameters(self) -> dict[str, Array]:
        """The parameters by the layout's names; a bias that one of several nodes lacks is zero."""
        assert self.layout is not None
        arrays = {}
        for layer, node in enumerate(self.nodes):
            for direction, own in zip(self.layout.directions, node.parameters, strict=True):
                shapes = self.layout.shapes_of(layer)
                for base, name in self.layout.names(layer, direction).items():
                    zero = np.zeros(shapes[base], own["weight_hh"].dtype)
                    arrays[name] = np.array(own.get(base, zero))
        return arrays

    def initial(self) -> dict[str, Array]:
        """h0 and c0 as the nodes' constants give them, each (layers · directions, batch or 1, hidden)."""
        assert self.layout is not None
        shape = (len(self.layout.directions), 1, self.layout.hidden_size)
        arrays = {}
        for state in ("h0", "c0"):
            values = [node.initial.get(state, 0.0) for node in self.nodes]
            if any(not isinstance(value, float) or value for value in values):
                parts = [np.full(shape, v, np.float32) if isinstance(v, float) else v for v in values]
                batch = max(
                    part.shape[1] for part in parts
                )  # One for all, or 1 of what is the same for each.
                arrays[state] = np.concatenate(
                    [np.broadcast_to(p, (shape[0], batch, shape[2])) for p in parts]
                )
        return arrays

    def __str__(self) -> str:
        if self.layout is None:
            return f"{printable(self.path)}: {self.wrong}"
        return f"{printable(self.path)}: {sizes_of(self.layout)}" + (", reverse" if self.reverse else "")


def source_of(name: str, constants: Constants) -> str:
    """The Y that a node's X takes as it is: without its axis 1, or with both directions side by side."""
    node = constants.makers.get(name)
    if node is None:
        return ""
    if node.op_type in ("Identity", "Dropout"):
        return _passed(node.input[0], constants)
    if node.op_type == "Squeeze":
        axes = constants.array(node.input[1]) if len(node.input) > 1 else attributes(node).get("axes")
        return node.input[0] if axes is not None and list(axes) == [1] else ""
    before = constants.makers.get(node.input[0]) if node.op_type == "Reshape" else None
    if before is not None and before.op_type == "Transpose":
        shape = constants.array(node.input[1])
        merged = shape is not None and list(shape) == [0, 0, -1]
        return before.input[0] if merged and attributes(before).get("perm") == [0, 2, 1, 3] else ""
    return ""


def _passed(name: str, constants: Constants) -> str:
    node = constants.makers.get(name)
    return "" if node is None or node.op_type in ("Identity", "Dropout") else source_of(name, constants)


def stacked(read: Mapping[str, OnnxNode | str], below: Mapping[str, str]) -> list[OnnxLayer]:
    """The nodes, those that are stacked on one another as one layer."""
    layers: list[OnnxLayer] = []
    stacks: dict[str, list[OnnxNode]] = {}
    for name, node in read.items():
        if isinstance(node, str):
            layers.append(OnnxLayer(name, None, node))
            continue
        lower = stacks.get(below.get(name, ""))
        if lower is not None and _fits_on(node, lower):
            lower.append(node)
            stacks[name] = lower
        else:
            stacks[name] = [node]
    unique = {id(stack): stack for stack in stacks.values()}
    return layers + [layer_of(stack) for stack in unique.values()]


def _fits_on(node: OnnxNode, lower: Sequence[OnnxNode]) -> bool:
    last = lower[-1]
    same = (node.cell, node.direction, node.hidden_size) == (last.cell, last.direction, last.hidden_size)
    width = last.hidden_size * len(last.parameters)
    one_batch = len(node.batches.union(*(below.batches for below in lower))) < 2
    fits = same and one_batch and not node.batch_first and node.input_size == width
    return fits and len(lower) < MOST_LAYERS


def layer_of(nodes: Sequence[OnnxNode]) -> OnnxLayer:
    """Nodes that are stacked on one another, the lowest first, as a layer."""
    first = nodes[0]
    layout = Layout(
        CELLS[first.cell],
        first.input_size,
        first.hidden_size,
        len(nodes),
        first.direction == "bidirectional",
        bias=any("bias_ih" in own for node in nodes for own in node.parameters),
    )
    notes = [f"{printable(node.name)}: {note}" for node in nodes for note in node.notes]
    if len(nodes) > 1:
        notes.insert(0, "stacked nodes: " + ", ".join(printable(node.name) for node in nodes))
    return OnnxLayer(first.name, layout, "", tuple(nodes), tuple(notes))
