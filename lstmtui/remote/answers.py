"""Whether an answer can be one to what was asked: its shapes, its lengths, and the places it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from lstmtui.session.diagnosis import Verdict
from lstmtui.session.divergence import Divergence
from lstmtui.session.evaluated import Vector
from lstmtui.session.first_bad import FirstBad
from lstmtui.session.hits import Passed
from lstmtui.session.horizon import Horizon, Reach
from lstmtui.session.outline import Outline
from lstmtui.session.signal import Signal
from lstmtui.session.split import Split
from lstmtui.session.windows import Window
from lstmtui.trace import Trace
from lstmtui.trace.header import Layer

_MOST = 1 << 10
"""Members of what has no more exact length: verdicts, terms of an equation."""
_NUMBERS, _INTEGERS, _TRUTHS = "biuf", "biu", "b"


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked, as far as the answer depends on it."""

    trace: Trace
    layer: int
    direction: str
    last_t: int
    """Of the selected sequence."""
    arguments: Mapping[str, Any]
    """By name."""

    @property
    def selected(self) -> Layer:
        """The selected layer."""
        return self.trace.layers[self.layer]

    @property
    def units(self) -> int:
        """Of the quantity that was asked for."""
        return int(self.trace.values(self.arguments["quantity"], self.layer, self.direction).shape[2])

    def trace_of(self, name: str) -> Trace:
        """A trace among the arguments; the selected one where there is none."""
        return self.arguments.get(name) or self.trace


def is_answer(name: str, asked: Asked, answer: Any) -> bool:
    """Whether a reading could have given this.

    Args:
        name: of the reading.
        asked: what was asked.
        answer: of the type that the reading's annotation says.

    Raises:
        UserError: the run has no such quantity, layer or direction.
    """
    check = CHECKS.get(name)
    return check is None or check(asked, answer)


def _array(value: Any, kinds: str, *shape: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds and value.shape == shape


def _places(values: Any, count: int) -> bool:
    """Whether all are from 0 to before `count`."""
    return all(0 <= value < count for value in values)


def _window(asked: Asked, answer: Window) -> bool:
    arguments, units = asked.arguments, asked.units
    rows = arguments.get("rows")
    per_row = 1 if rows is None else -(-units // max(1, rows))
    start, stop = arguments["start"], arguments["stop"]
    timesteps = len(range(asked.trace.steps)[start:stop])
    facts = (answer.quantity, answer.start, answer.stop, answer.units, answer.units_per_row)
    return (
        facts == (arguments["quantity"], start, stop, units, per_row)
        and _array(answer.values, _NUMBERS, timesteps, -(-units // per_row))
        and _array(answer.valid, _TRUTHS, timesteps)
    )


def _limit(asked: Asked, answer: float) -> bool:
    return isfinite(answer) and answer >= 0


def _signal(asked: Asked, answer: Signal) -> bool:
    count = asked.arguments["stop"] - asked.arguments["start"]
    return (
        len(answer.lines) + len(answer.rows) <= _MOST
        and all(_array(line.values, _NUMBERS, count) for line in answer.lines)
        and all(_array(line.absent, _TRUTHS, count) for line in answer.lines)
        and all(len(row.tokens) == count for row in answer.rows)
    )


def _outline(asked: Asked, answer: Outline | None) -> bool:
    if answer is None:
        return True
    pixels, shape = asked.arguments["pixels"], answer.envelope
    return (
        all(_array(end, "f", pixels) for end in (shape.low, shape.high))
        and all(_array(truth, _TRUTHS, pixels) for truth in (shape.given, shape.joined))
        and _array(answer.marks, "u", asked.arguments["cells"])
    )


def _evaluated(asked: Asked, answer: Any) -> bool:
    values = [result.value for result in answer if isinstance(result, Vector)]
    most = asked.arguments.get("most")
    fits = all(v.ndim == 1 and v.dtype.kind in _NUMBERS and (most is None or len(v) <= most) for v in values)
    return fits and len(answer) == len(asked.arguments["expressions"])


def _first_hits(asked: Asked, answer: Any) -> bool:
    ts = asked.arguments["ts"]
    return len(answer) == len(asked.arguments["conditions"]) and all(t is None or t in ts for t in answer)


def _passed(asked: Asked, answer: Passed) -> bool:
    way, conditions = len(asked.arguments["ts"]), len(asked.arguments["conditions"])
    count = len(answer.at) if answer.at.ndim == 1 else -1
    return (
        count <= asked.arguments["most"]
        and _array(answer.at, _INTEGERS, count)
        and _array(answer.which, _INTEGERS, count)
        and _places(answer.at.tolist(), way)
        and _places(answer.which.tolist(), conditions)
        and len(answer.counts) == conditions
        and _places(answer.counts, way + 1)
    )


def _hits_within(asked: Asked, answer: Any) -> bool:
    page = asked.arguments["page"]
    return len(answer) <= len(page) and all(t in page for t in answer)


def _routes(asked: Asked, answer: tuple[Split, ...]) -> bool:
    def fits(split: Split) -> bool:
        if split.state not in asked.selected.layout.cell.states:
            return False
        vectors = (split.whole, split.later, *(route.values for route in split.routes))
        units = asked.selected.size(split.state)
        return len(vectors) <= _MOST and all(_array(v, _NUMBERS, units) for v in vectors)

    return len(answer) <= 2 and all(fits(split) for split in answer)


def _reach(asked: Asked, answer: Reach | None) -> bool:
    if answer is None:
        return True
    return answer.state in asked.selected.layout.cell.states and 0 <= answer.start <= asked.last_t


def _half_lives(asked: Asked, answer: Any) -> bool:
    return answer is None or _array(answer, _NUMBERS, asked.selected.hidden_size)


def _horizon(asked: Asked, answer: Horizon) -> bool:
    return _half_lives(asked, answer.half_lives) and _reach(asked, answer.reach)


def _place(asked: Asked, answer: FirstBad | Divergence | None) -> bool:
    """Whether the selected run has the place."""
    if answer is None:
        return True
    trace, layer = asked.trace, answer.layer
    return (
        (layer is None or (0 <= layer < len(trace.layers) and answer.direction in _directions(trace, layer)))
        and -1 <= answer.t <= trace.steps
        and 0 <= answer.batch < trace.batch
        and answer.unit >= -1
    )


def _diagnosis(asked: Asked, answer: tuple[Verdict, ...]) -> bool:
    def fits(verdict: Verdict) -> bool:
        layer = verdict.layer
        if layer is not None and not 0 <= layer < len(asked.trace.layers):
            return False
        return len(verdict.units) <= _MOST and (layer is None or _has(asked, layer, verdict.direction))

    return len(answer) <= _MOST and all(fits(verdict) for verdict in answer)


def _has(asked: Asked, layer: int, direction: str) -> bool:
    return not direction or direction in _directions(asked.trace, layer)


def _directions(trace: Trace, layer: int) -> tuple[str, ...]:
    return ("", *trace.layers[layer].directions)


def _equations(asked: Asked, answer: Any) -> bool:
    stages = asked.selected.layout.cell.stages
    return len(answer) <= len(stages) and all(
        len(one.numbers) <= _MOST and len(one.parts) <= _MOST and len(one.symbols) <= _MOST for one in answer
    )


def _survivals(asked: Asked, answer: Any) -> bool:
    return len(answer.states) <= 2 and all(len(state.parts) <= _MOST for state in answer.states)


def _both_norms(asked: Asked, answer: Any) -> bool:
    steps = (asked.trace.steps, asked.trace_of("other").steps)
    return all(_array(norms, _NUMBERS, count) for norms, count in zip(answer, steps, strict=True))


CHECKS: dict[str, Callable[[Asked, Any], bool]] = {
    "window": _window,
    "difference": _window,
    "vector": lambda asked, answer: _array(answer, _NUMBERS, asked.units),
    "extent": _limit,
    "color_limit": _limit,
    "difference_limit": _limit,
    "gradient_norms": lambda asked, answer: _array(answer, _NUMBERS, asked.trace_of("trace").steps),
    "both_norms": _both_norms,
    "gradient_outline": _outline,
    "signal": _signal,
    "evaluated": _evaluated,
    "expectation": lambda asked, answer: True,
    "first_hits": _first_hits,
    "hits_on_the_way": _passed,
    "hits_within": _hits_within,
    "equations_at": _equations,
    "numbers_at": lambda asked, answer: len(answer) <= _MOST,
    "survivals_at": _survivals,
    "routes_at": _routes,
    "horizon": _horizon,
    "half_lives": _half_lives,
    "gradient_reach": _reach,
    "unit_reaches": lambda asked, answer: isinstance(answer, np.ndarray) and answer.ndim == 1,
    "first_bad": _place,
    "parting": _place,
    "diagnose": _diagnosis,
}
"""By the name of the reading."""
