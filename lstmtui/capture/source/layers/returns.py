"""What functions return without a name for it there: a line that computed what their caller binds to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lstmtui.capture.source.bindings import RETURNED, Binding
from lstmtui.capture.source.layers.series import Series

Returns = dict[int, list[Binding]]
"""By the id of a binding: what functions had returned that it binds, the innermost first."""


def returns_of(shown: Sequence[Series], rounds: Sequence[Sequence[Binding]]) -> Returns:
    """What called functions had returned that names of a run are bound to.

    Args:
        shown: the names.
        rounds: of the run, with all that was bound.
    """
    returns: Returns = {}
    named = {id(b) for part in shown if part.is_returned for own in part.rounds for b in own}
    for own in rounds:
        waiting: dict[int, list[Binding]] = {}
        for b in own:
            if b.name.startswith(RETURNED) and id(b) not in named:
                waiting.setdefault(b.identity, []).append(b)
            elif waiting and b.identity in waiting:
                returns[id(b)] = waiting.pop(b.identity)
    return returns


def not_finite(unnamed: Iterable[Series], named: Iterable[Series]) -> list[Series]:
    """What functions return and no name is bound to, where it is not finite, or its derivative is not."""
    bound = {b.identity for part in named for b in part.bindings}
    return [
        part
        for part in unnamed
        if any(b.identity not in bound and not _are_finite([b.value, *b.gradients]) for b in part.bindings)
    ]


def _are_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors if tensor.is_floating_point())
