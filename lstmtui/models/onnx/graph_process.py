"""Whole ONNX graphs, run by onnxruntime in a process of their own, with bounds. No torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.libraries import load_library, require_library
from lstmtui.models.limited_process import Task, answer_of, answer_with, limit_memory, run_python
from lstmtui.models.onnx.graph_request import (
    GraphAnswer,
    GraphRequest,
    NodeRun,
    TapedGraph,
    read_answer,
    read_request,
    write_answer,
    write_request,
)  # fmt: skip
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.models.onnx.tape import Tape
    from lstmtui.models.onnx.taps import Taps

SECONDS, EACH = 120, 0.02
"""How long a graph may run, and how much longer for each call, unless a scenario says otherwise."""
MEMORY = 6 << 30
"""Bytes of address space that the process may have, and four times the file's size."""
_TASK = Task(
    "running",
    "run",
    ": onnxruntime failed on it",
    ": cannot be run: {} in the onnx package",
    ": takes more memory to run than it may have here",
    more_time="; `session = { seconds = … }` gives it more",
)

_CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.onnx.graph_process import answer; sys.exit(answer(path, int(memory)))"
)


def run_graph(path: Path, request: GraphRequest, seconds: float | None = None) -> GraphAnswer:
    """Run a graph.

    Args:
        path: the model.
        request: its inputs, and how it is called.
        seconds: after so long it is given up; None: `SECONDS`, and `EACH` for each call.

    Raises:
        UserError: onnxruntime refuses the graph or its inputs, takes too long, or asks for too much memory;
            it is not installed.
    """
    require_library("onnx")
    require_library("onnxruntime")
    allowed = SECONDS + EACH * len(request.pieces) if seconds is None else seconds
    # A GPU's driver reserves more addresses than any machine has memory.
    is_bounded = all(provider == "CPUExecutionProvider" for provider in request.providers)
    memory = MEMORY + 4 * path.stat().st_size if is_bounded else 0
    content = BytesIO()
    write_request(content, request)

    def start() -> subprocess.CompletedProcess[bytes]:
        return _run([str(path), str(memory)], allowed, content.getvalue())

    return answer_of(printable(path.name), _TASK, start, allowed, read_answer)


def answer(path: str, memory: int) -> int:
    """What the other process does: run the graph within its limits, and write what it did to stdout.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there is no answer.
    """
    if memory:
        limit_memory(memory)
    request = read_request(sys.stdin.buffer.read())
    name = printable(Path(path).name)

    def work() -> Callable[[IO[bytes]], object]:
        try:
            return partial(write_answer, answer=answered(Path(path), request))
        except UserError as error:
            raise UserError(f"{name}: {str(error).removeprefix(f'{name} ')}") from None

    return answer_with(name, _TASK, work)


def answered(path: Path, request: GraphRequest) -> GraphAnswer:
    """Run a graph in this process.

    Raises:
        UserError: onnxruntime refuses the graph or its inputs.
    """
    load_library("onnxruntime")
    from lstmtui.models.onnx.bodies import bodies_of
    from lstmtui.models.onnx.execution import Execution
    from lstmtui.models.onnx.graph import dependencies, nodes_of
    from lstmtui.models.onnx.model import load_model
    from lstmtui.models.onnx.session import Sessions
    from lstmtui.models.onnx.tape import Tape
    from lstmtui.models.onnx.taps import MOST_NUMBERS, Taps
    from lstmtui.models.onnx.tensors import read_external_data

    model = load_model(path)
    read_external_data(model, path.parent)
    taps = Taps(request.module)
    sessions = Sessions(model, request.threads, request.providers)
    body = bodies_of(model)
    tape = Tape() if request.tape else None
    execution = Execution(body, sessions, taps, tape)
    outputs = _Outputs(MOST_NUMBERS, tape)
    states: dict[str, np.ndarray] = {}
    for call, piece in enumerate(request.pieces):
        taps.call = call
        result = execution.run({**request.inputs, **piece, **states})
        states = {name: result[output] for name, output in request.states.items()}
        outputs.add(result)
    by_node = dependencies(body, request.states)
    fed_by, begins_from = (
        {place: nodes_of(sources) for place, sources in by.items()} for by in (by_node.others, by_node.states)
    )
    arrays = {name: tuple(own) for name, own in outputs.arrays.items()}
    layers = tuple(taps.layers.values())
    return GraphAnswer(layers, _runs_of(taps), fed_by, begins_from, arrays, outputs.followed())


class _Outputs:
    """What a graph gives, call after call.

    Args:
        most: numbers that are kept.
        tape: has the numbers of what is followed; None: nothing is.
    """

    def __init__(self, most: int, tape: Tape | None) -> None:
        self._most, self._tape, self._count = most, tape, 0
        self.arrays: dict[str, list[np.ndarray]] = {}
        self._numbers: dict[str, list[int]] = {}
        """Of the same arrays on the tape."""

    def add(self, result: Mapping[str, Any]) -> None:
        """Keep what one call gave.

        Raises:
            UserError: it is more than may be kept.
        """
        for name, array in result.items():
            if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
                self.arrays.setdefault(name, []).append(array)
                self._count += array.size
                if self._tape is not None:
                    self._numbers.setdefault(name, []).append(self._tape.number_of(array))
        if self._count > self._most:
            raise UserError(f"its outputs have more than {self._most:,} numbers")

    def followed(self) -> TapedGraph | None:
        """What the graph computed from its recurrent nodes; None without a tape."""
        if self._tape is None:
            return None
        numbers = {name: tuple(own) for name, own in self._numbers.items()}
        return TapedGraph(tuple(self._tape.operations), self._tape.constants, numbers)


def _runs_of(taps: Taps) -> tuple[NodeRun, ...]:
    """The runs of the nodes that are layers of ours, with the numbers of their layers."""
    order = {place: number for number, place in enumerate(taps.layers)}
    return tuple(
        NodeRun(order[node.place], node.call, node.arrays, node.numbers)
        for node in taps.nodes
        if taps.layers[node.place].layout is not None
    )


def _run(arguments: Sequence[str], seconds: float, request: bytes) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    return run_python(_CHILD, arguments, seconds, request)
