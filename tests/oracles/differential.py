"""Recordings of random configurations against loops in numpy: no more than ten times a plain loop's error.

`python tests/oracles/differential.py 10000` tries as many configurations and prints those that fail; a second
number is the seed of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from oracles.random_layers import Array, Configuration, Key, OwnRun, Problem, drawn

from lstmtui.trace import Trace

Loops: TypeAlias = dict[Key, Array]
"""Everything about one sequence, (runs, T, units)."""

TIMES = 10
"""How many times a plain loop's error an error may be."""
FLOOR = 16
"""Units of rounding that a plain loop may always be off: it is sometimes right by luck."""
MEANINGLESS = 0.01
"""The relative error of a plain loop from which on it says nothing."""
ROUNDINGS = 8
"""Plain loops that a recording is held against: one as it is, and others in which every value is moved
by a unit in the last place at random, which says how far rounding can reach (Vignes 1974, "CESTAC")."""
MORE_ROUNDINGS = 64
"""What fails is held against so many: a few may all happen to be near."""


class Failure(NamedTuple):
    """A place where a recording is farther from the truth than it may be."""

    key: Key
    sequence: int
    t: int
    ours: float
    plain: float
    truth: float
    """Its norm."""


def failures(configuration: Configuration) -> Iterator[Failure]:
    """The worst place of every quantity that fails."""
    problem = Problem(configuration)
    dtype = {torch.float32: np.float32, torch.float64: np.float64}[configuration.dtype]
    with np.errstate(all="ignore"):
        truths = problem.loops(np.longdouble, 1)
        trace = problem.recorded()
        plains = problem.loops(dtype, ROUNDINGS)
        own: OwnRun | None = None
        overflowing = {sequence for sequence, plain in enumerate(plains) if _overflows(plain)}
        if overflowing and (own := problem.own_run()):
            yield from _unlike(trace, own, overflowing, problem)
        if any(_failures_of(trace, truths, plains, dtype, overflowing)):
            own = own or problem.own_run()
            plains = problem.loops(dtype, MORE_ROUNDINGS)
            for failure in _failures_of(trace, truths, plains, dtype, overflowing):
                if not (own and _is_output(trace, failure, own.output)):
                    yield failure


def _failures_of(
    trace: Trace, truths: list[Loops], plains: list[Loops], dtype: Any, overflowing: Container[int]
) -> Iterator[Failure]:
    for sequence, (truth, plain) in enumerate(zip(truths, plains, strict=True)):
        for key in truth:
            if sequence in overflowing and is_derivative(key):
                continue  # The truth's derivatives are those of another run, one without bounds.
            exact = truth[key][0]
            array = recorded_array(trace, key, sequence, len(exact))
            worst = worst_of(array, plain[key], exact, dtype)
            if worst is not None:
                yield Failure(key, sequence, *worst)


def _overflows(plain: Loops) -> bool:
    return not all(np.isfinite(plain[key]).all() for key in plain if not is_derivative(key))


def _unlike(trace: Trace, own: OwnRun, sequences: Iterable[int], problem: Problem) -> Iterator[Failure]:
    """Where derivatives of runs that overflow are not those of PyTorch's own module, with its inf and NaN."""
    limits = np.finfo(own.output.dtype)
    for sequence in sequences:
        for key, gradients in own.derivatives.items():
            exact = gradients[: problem.lengths[sequence], sequence]
            array = recorded_array(trace, key, sequence, len(exact))
            norm = length(np.where(np.isfinite(exact), exact, 0))
            allowed = FLOOR * TIMES * limits.eps * norm + FLOOR * limits.smallest_subnormal * exact.shape[-1]
            near = length(np.where(np.isfinite(exact), array - exact, 0)) <= allowed
            alike = np.where(np.isfinite(exact), near[:, None], np.isfinite(array) == np.isfinite(exact))
            for t in np.flatnonzero(~alike.all(-1))[:1]:
                yield Failure(key, sequence, int(t), float(length(array - exact)[t]), 0.0, float(norm[t]))


def _is_output(trace: Trace, failure: Failure, output: Array) -> bool:
    """Whether it is what PyTorch's module gives, to the bit: then its kernel's rounding is the truth."""
    name, layer, direction = failure.key
    if name != "h" or layer != len(trace.layers) - 1:
        return False
    units = trace.layers[layer].size("h")
    first = units * trace.layers[layer].directions.index(direction)
    own = output[failure.t, failure.sequence, first : first + units]
    return np.array_equal(own, trace.values(*failure.key)[failure.t, failure.sequence])


def is_derivative(key: Key) -> bool:
    """Whether the array is of total derivatives."""
    return key[0].removeprefix("initial/").startswith("d")


def recorded_array(trace: Trace, key: Key, sequence: int, steps: int) -> Array:
    """What stands in the trace, (T, units)."""
    name, layer, direction = key
    if name.startswith("initial/"):
        return trace.initial(name.removeprefix("initial/"), layer, direction)[None, sequence]
    return trace.values(name, layer, direction)[:steps, sequence]


def worst_of(ours: Array, plain: Array, exact: Array, dtype: Any) -> tuple[int, float, float, float] | None:
    """The timestep at which an array is farthest beyond what it may be; None where it is nowhere."""
    limits = np.finfo(dtype)
    norm = length(exact)
    tiny = float(limits.smallest_subnormal)
    error = length(ours - exact)
    loop = length(plain - exact[None]).max(0)
    # A timestep in which a plain loop happens to be near is no measure; those beside it are.
    padded = np.pad(loop / np.maximum(norm, tiny), 2, mode="edge")
    relative = np.max([padded[n : len(padded) - 4 + n] for n in range(5)], 0)
    # Loops that go round among the smallest numbers there are need not come to 0.
    allowed = norm * np.maximum(TIMES * relative, FLOOR * limits.eps) + FLOOR * tiny * ours.shape[-1]
    bad = ~(error <= allowed) & (relative < MEANINGLESS) & np.isfinite(norm)
    if not bad.any():
        return None
    t = int(np.argmax(np.where(bad, error / np.maximum(allowed, tiny), 0)))
    size = max(float(norm[t]), tiny)
    return t, float(error[t]) / size, float(relative[t]), float(norm[t])


def length(vectors: Array) -> Array:
    """The L2 norm over the last axis, in numbers so wide that none of these vanishes."""
    wide = vectors.astype(np.longdouble)
    return np.asarray(np.sqrt((wide * wide).sum(-1)))


def main() -> None:
    """Try configurations and print those that fail."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed, begun = 0, perf_counter()
    for seed in range(first, first + count):
        worst = max(failures(drawn(seed)), key=lambda f: f.ours / max(f.plain, 1e-300), default=None)
        if worst is not None:
            failed += 1
            print(drawn(seed), worst, sep="\n    ", flush=True)
    print(f"{count:,} configurations, {failed} failed, {perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
