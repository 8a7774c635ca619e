"""Whole ONNX graphs, run by onnxruntime in a process of their own, with bounds. No torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO

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
    taped: dict[str, list[int]] = {}
    outputs: dict[str, list[np.ndarray]] = {}
    states: dict[str, np.ndarray] = {}
    numbers = 0
    for call, piece in enumerate(request.pieces):
        taps.call = call
        result = execution.run({**request.inputs, **piece, **states})
        states = {name: result[output] for name, output in request.states.items()}
        for name, array in result.items():
            if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
                outputs.setdefault(name, []).append(array)
                numbers += array.size
                if tape is not None:
                    taped.setdefault(name, []).append(tape.number_of(array))
        if numbers > MOST_NUMBERS:
            raise UserError(f"its outputs have more than {MOST_NUMBERS:,} numbers")
    order = {place: number for number, place in enumerate(taps.layers)}
    layers = tuple(taps.layers.values())
    runs = tuple(
        NodeRun(order[node.place], node.call, node.arrays, node.numbers)
        for node in taps.nodes
        if layers[order[node.place]].layout is not None
    )
    own = dependencies(body, request.states)
    fed_by, begins_from = ({p: nodes_of(s) for p, s in by.items()} for by in (own.others, own.states))
    own_outputs = {name: tuple(arrays) for name, arrays in outputs.items()}
    followed = None
    if tape is not None:
        by_name = {name: tuple(numbers) for name, numbers in taped.items()}
        followed = TapedGraph(tuple(tape.operations), tape.constants, by_name)
    return GraphAnswer(layers, runs, fed_by, begins_from, own_outputs, followed)


def _run(arguments: Sequence[str], seconds: float, request: bytes) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    return run_python(_CHILD, arguments, seconds, request)
