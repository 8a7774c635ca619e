"""What an argument of a function of recorded code was called where the function was called."""

from __future__ import annotations

import numpy as np

from lstmtui.analysis.line_operands import LinePlace
from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.analysis.why.ledger import Place


def handed_from(asked: Place, argument: LinePlace) -> Place | None:
    """The name of a caller that has the same numbers, bound last before; None where none has.

    Args:
        asked: the argument.
        argument: where it is bound.
    """
    trace, source, t, layer = argument.trace, argument.source, argument.t, argument.layer
    own, depth = values_at(trace, layer, argument.variable.name, t), argument.binding.depth
    if own is None or argument.binding.inner_step >= 0:
        return None
    last = {s.variable: n for n, s in enumerate(source.stages) if is_bound(trace, layer, source, n, t)}
    for name, number in sorted(last.items(), key=lambda item: -item[1]):
        variable = source.variable(name)
        is_before = number < argument.stage and source.stages[number].depth < depth
        if variable is None or not is_before or variable.shape != argument.variable.shape:
            continue
        values = values_at(trace, layer, name, t)
        if values is not None and np.array_equal(values, own, equal_nan=True):
            return asked.at(name, t)
    return None
