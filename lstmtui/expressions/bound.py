"""Where the code of a run has bound the names that an expression reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.arrays import Array
from lstmtui.expressions.nodes import Node, Previous, Quantity, children
from lstmtui.expressions.scope import Scope


def unbound_names(node: Node, scope: Scope, t: int) -> tuple[str, ...]:
    """The names that a node reads at a timestep and the code has not bound where they are read."""
    here = range(t, t + 1)
    return tuple(name for name, lag in sorted(_read(node)) if not _bound(scope, name, lag, here).all())


def all_bound(node: Node, scope: Scope, ts: range) -> Array:
    """Whether all that a node reads is bound where it is read, bool (timesteps,), for ascending `ts`."""
    holds = np.ones(len(ts), np.bool_)
    for name, lag in _read(node) if ts else ():
        holds = holds & _bound(scope, name, lag, ts)
    return holds


def _read(node: Node, lag: int = 0) -> frozenset[tuple[str, int]]:
    """The quantities that a node reads, each with how many timesteps before."""
    return frozenset(_reads(node, lag))


def _reads(node: Node, lag: int) -> Iterator[tuple[str, int]]:
    if isinstance(node, Quantity):
        yield node.name, lag
    for child in children(node):
        yield from _reads(child, lag + isinstance(node, Previous))


def _bound(scope: Scope, name: str, lag: int, ts: range) -> Array:
    """Whether a name is bound so many timesteps before each; True before the first, where there is none."""
    start, stop = ts[0] - lag, ts[-1] + 1 - lag
    bound = scope.bound(name, max(0, start), max(0, stop))
    if bound is None:
        return np.ones(len(ts), np.bool_)
    return np.concatenate([np.ones(stop - start - len(bound), np.bool_), bound])[:: ts.step]
