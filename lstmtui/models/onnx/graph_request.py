"""What is asked of a whole ONNX graph, and what it answers; both travel between two processes. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lstmtui.models.onnx.layer import OnnxLayer
from lstmtui.models.onnx.tape import Operation
from lstmtui.models.onnx.transfer import layer_as_plain, layer_from_plain
from lstmtui.models.plain_transfer import read_plain, write_plain

if TYPE_CHECKING:
    from lstmtui.arrays import Array


@dataclass(frozen=True)
class GraphRequest:
    """A graph's inputs, and how it is called with them."""

    inputs: Mapping[str, Array]
    """By name: those that are the same in each call, and those that are states, as they begin."""
    pieces: Sequence[Mapping[str, Array]]
    """What else each call gets, one call after another."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Inputs that get, in each call but the first, what an output of the call before was."""
    module: str = ""
    """The place of the only recurrent node that is kept; empty: all are."""
    threads: int = 1
    providers: tuple[str, ...] = ()
    """What runs it; none: the CPU."""
    tape: bool = False
    """Whether what is computed from recurrent nodes is kept, operation by operation."""


@dataclass(frozen=True)
class NodeRun:
    """One run of a recurrent node."""

    layer: int
    """Which of the layers."""
    call: int
    """The call of the graph in which it ran."""
    arrays: Mapping[str, Array]
    """By ONNX's names: X, sequence_lens, initial_h, initial_c, Y, Y_h, Y_c; those that there are."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Those of the same values on the tape; −1: no recurrent node has a part in it."""


@dataclass(frozen=True)
class TapedGraph:
    """What a graph computed from what its recurrent nodes gave."""

    operations: tuple[Operation, ...]
    """In the order in which they ran."""
    constants: Mapping[int, Array]
    """By number: the values that no recurrent node has a part in."""
    outputs: Mapping[str, tuple[int, ...]]
    """The numbers of the graph's outputs in each call, by name; −1: no recurrent node has a part in it."""


@dataclass(frozen=True)
class GraphAnswer:
    """What a graph did."""

    layers: tuple[OnnxLayer, ...]
    """The recurrent nodes that have run, with the parameters that they ran with, as they first ran."""
    runs: tuple[NodeRun, ...]
    """In the order in which they ran; of nodes whose layers our cells have."""
    fed_by: Mapping[str, tuple[str, ...]]
    """By the place of each recurrent node, those that what it reads is computed from."""
    begins_from: Mapping[str, tuple[str, ...]]
    """Those that its initial states are computed from, those of calls before included."""
    outputs: Mapping[str, tuple[Array, ...]]
    """The graph's outputs in each call, by name; those that are tensors of numbers."""
    tape: TapedGraph | None = None
    """None where it was not asked for."""


def write_request(stream: IO[bytes], request: GraphRequest) -> None:
    """Write a request."""
    plain = vars(request) | {"pieces": _packed_mappings(request.pieces)}
    write_plain(stream, plain)


def read_request(content: bytes) -> GraphRequest:
    """What `write_request` wrote."""
    plain = read_plain(content)
    return GraphRequest(**{**plain, "pieces": _unpacked_mappings(plain["pieces"])})


def write_answer(stream: IO[bytes], answer: GraphAnswer) -> None:
    """Write an answer."""
    runs = {
        "layer": np.array([run.layer for run in answer.runs], np.int64),
        "call": np.array([run.call for run in answer.runs], np.int64),
        "arrays": _packed_mappings([run.arrays for run in answer.runs]),
        "numbers": [run.numbers for run in answer.runs],
    }
    outputs = {name: _packed(arrays) for name, arrays in answer.outputs.items()}
    layers = [layer_as_plain(layer) for layer in answer.layers]
    tape = None if answer.tape is None else _tape_as_plain(answer.tape)
    plain = {"layers": layers, "runs": runs, "outputs": outputs, "tape": tape}
    write_plain(stream, plain | {"fed_by": answer.fed_by, "begins_from": answer.begins_from})


def read_answer(content: bytes) -> GraphAnswer:
    """What `write_answer` wrote.

    Raises:
        ValueError: it is something else.
    """
    plain = read_plain(content)
    try:
        runs = plain["runs"]
        arrays = _unpacked_mappings(runs["arrays"])
        numbers = zip(runs["layer"].tolist(), runs["call"].tolist(), arrays, runs["numbers"], strict=True)
        return GraphAnswer(
            tuple(layer_from_plain(layer) for layer in plain["layers"]),
            tuple(NodeRun(*own) for own in numbers),
            plain["fed_by"],
            plain["begins_from"],
            {name: tuple(_unpacked(packed)) for name, packed in plain["outputs"].items()},
            None if plain["tape"] is None else _tape_from_plain(plain["tape"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what was written: {error}") from error


def _tape_as_plain(tape: TapedGraph) -> dict[str, Any]:
    constants = {"at": np.array([*tape.constants], np.int64), "arrays": _packed([*tape.constants.values()])}
    operations = [vars(operation) for operation in tape.operations]
    return {"operations": operations, "constants": constants, "outputs": tape.outputs}


def _tape_from_plain(plain: Mapping[str, Any]) -> TapedGraph:
    constants = zip(plain["constants"]["at"].tolist(), _unpacked(plain["constants"]["arrays"]), strict=True)
    operations = tuple(Operation(**own) for own in plain["operations"])
    return TapedGraph(operations, dict(constants), plain["outputs"])


def _packed_mappings(mappings: Sequence[Mapping[str, Array]]) -> dict[str, Any]:
    """Many mappings as few arrays: by key, which of the mappings have it, and their arrays."""
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    having = {key: [n for n, mapping in enumerate(mappings) if key in mapping] for key in keys}
    packed = {
        key: {"at": np.array(own, np.int64), "arrays": _packed([mappings[n][key] for n in own])}
        for key, own in having.items()
    }
    return {"count": len(mappings), "keys": packed}


def _unpacked_mappings(packed: Mapping[str, Any]) -> list[dict[str, Array]]:
    mappings: list[dict[str, Array]] = [{} for _ in range(packed["count"])]
    for key, own in packed["keys"].items():
        for at, array in zip(own["at"].tolist(), _unpacked(own["arrays"]), strict=True):
            mappings[at][key] = array
    return mappings


def _packed(arrays: Sequence[Array]) -> list[Any]:
    """Arrays one behind another, those of one dtype and rank together, with their shapes."""
    groups: dict[tuple[str, int], list[int]] = {}
    for number, array in enumerate(arrays):
        groups.setdefault((array.dtype.str, array.ndim), []).append(number)
    return [
        {
            "at": np.array(own, np.int64),
            "shapes": np.array([arrays[n].shape for n in own], np.int64).reshape(len(own), rank),
            "numbers": np.concatenate([arrays[n].reshape(-1) for n in own]),
        }
        for (_, rank), own in groups.items()
    ]


def _unpacked(packed: Sequence[Mapping[str, Any]]) -> list[Array]:
    arrays: dict[int, Array] = {}
    for group in packed:
        shapes = [tuple(shape) for shape in group["shapes"].tolist()]
        ends = np.cumsum([int(np.prod(shape, dtype=np.int64)) for shape in shapes])
        parts = np.split(group["numbers"], ends[:-1])
        for at, shape, part in zip(group["at"].tolist(), shapes, parts, strict=True):
            arrays[at] = part.reshape(shape)
    return [arrays[n] for n in range(len(arrays))]
