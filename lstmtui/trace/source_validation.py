"""Checks that what a trace says of recorded code is consistent, before anything of it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from keyword import iskeyword

from lstmtui.trace.header import Header, Layer
from lstmtui.trace.source import Source, Variable

LONGEST_NAME = 200
"""Characters of a variable's name."""
_LARGEST = 1 << 48


def source_problems(header: Header) -> list[str]:
    """What does not fit, in sentences; empty where all is well."""
    problems = []
    for index, layer in enumerate(header.layers):
        if layer.source is not None:
            problems += [f"layer {index}: {wrong}" for wrong in _of(layer, layer.source)]
    raised = header.raised
    if raised is not None and not (0 <= raised.layer < len(header.layers) and raised.t >= 0):
        problems.append("it raised in a layer that it has not, or before its first timestep")
    elif raised is not None:
        source = header.layers[raised.layer].source
        if not -1 <= raised.function < (0 if source is None else len(source.functions)):
            problems.append("it raised in a function that it has not")
    return problems


def _of(layer: Layer, source: Source) -> Iterator[str]:
    if not (source.functions and source.variables and source.stages):
        yield "its code has no functions, no variables or no stages"
        return
    names = [variable.name for variable in source.variables]
    yield from _of_names([*names, *("d" + name for name in names)])
    yield from (f"{name!r} is no name" for name in _no_names(c.name for c in source.constants))
    if layer.bidirectional or layer.proj_size or layer.parameters or layer.input_size:
        yield "it has code, and sizes or parameters of a layer that has none"
    if layer.hidden_size != max(variable.size for variable in source.variables):
        yield f"it has {layer.hidden_size} units, and its largest variable another number"
    for variable in source.variables:
        yield from _of_variable(variable, source)
    for stage in source.stages:
        if stage.variable not in names or not _is_place(stage.function, stage.line, source):
            yield "a stage binds a variable or runs a function that it has not"
            return
        if not (0 <= stage.depth < _LARGEST and stage.inner_step >= -1):
            yield "a stage has a depth or an inner step below the least"
            return
    starts = [entry.start for entry in source.passed_over]
    numbers = {number for entry in source.passed_over for number in (*entry.stages, *entry.again)}
    if (
        starts != sorted({*starts})
        or not numbers <= {*range(len(source.stages))}
        or min(starts, default=0) < 0
    ):
        yield "rounds pass over stages that it has not, or in no order"


def _of_variable(variable: Variable, source: Source) -> Iterator[str]:
    name = repr(variable.name)
    if not all(1 <= size < _LARGEST for size in variable.shape) or variable.size >= _LARGEST:
        yield f"{name} has an axis of no size"
    if not _is_place(variable.function, variable.line, source) or variable.inner_steps < 0:
        yield f"{name} is bound in a function, on a line or in inner steps that it has not"
    if any(source.variable(other) is None for other in variable.carried_to):
        yield f"{name} is carried on to a name that it has not"


def _of_names(names: list[str]) -> Iterator[str]:
    """The names of variables and of their derivatives."""
    yield from (f"{name!r} is no name" for name in _no_names(names))
    if len(set(names)) < len(names):
        yield "two of its names are the same, or one is that of another's derivative"


def _no_names(names: Iterable[str]) -> Iterator[str]:
    return (name[:LONGEST_NAME] for name in names if not _is_name(name))


def _is_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and name.isidentifier() and not iskeyword(name)


def _is_place(function: int, line: int, source: Source) -> bool:
    return 0 <= function < len(source.functions) and 0 <= line < _LARGEST
