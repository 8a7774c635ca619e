"""Whether the passes of a loop have parameters of their own: those of a loop over layers have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.runs.time_loops import Loop, Place, pass_of
from lstmtui.capture.source.tracing.weights_behind import FIRST_PASSES, WeightsBehind


def weights_differ(
    weights: WeightsBehind, loop: Loop, bound: Iterable[tuple[Place, Iterable[Binding]]]
) -> bool:
    """Whether passes of a loop that follow each other each compute with parameters that the other lacks.

    Args:
        weights: says which parameters a value was computed with.
        loop: which.
        bound: what was bound, with the loops that it was in.
    """
    passes: dict[tuple[int, ...], dict[int, list[Binding]]] = defaultdict(lambda: defaultdict(list))
    for place, bindings in bound:
        number = pass_of(place, loop)
        if number is not None and number < FIRST_PASSES:
            passes[tuple(n for _, n in place[: len(loop) - 1])][number] += bindings
    several = next((own for own in passes.values() if len(own) > 1), {})
    each = [frozenset[int]().union(*map(weights.of, own)) for own in several.values()]
    return len(each) > 1 and bool(each[-1] - each[-2] and each[-2] - each[-1])


def goes_through_unlike(loop: Loop, bound: Iterable[Binding]) -> bool:
    """Whether the head of a loop binds names to matrices and vectors in turn: to weights and biases.

    Args:
        loop: which.
        bound: what it binds itself.
    """
    dims: dict[str, set[int]] = defaultdict(set)
    code, line = loop[-1]
    for b in bound:
        if b.line == line and id(b.call.code) == code:
            dims[b.name].add(b.value.dim())
    return any(len(own) > 1 for own in dims.values())
