"""The loss of a model without the lengths that it was recorded with but does not use."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import torch

from lstmtui.capture.modules.arguments import arguments
from lstmtui.capture.modules.generators import Generators
from lstmtui.capture.modules.preserve_state import preserve_state
from lstmtui.capture.request import Request
from lstmtui.models.model import ScenarioModel
from lstmtui.trace import Trace

_SAME = 1e-6
"""Two losses that differ by no more than this part are the same but for rounding."""


def with_own_loss(trace: Trace, request: Request, generators: Generators) -> Trace:
    """The trace, with a note if the model's own loss is a different one.

    A recurrent module that was recorded by itself is asked with lengths as it is with a packed sequence; a
    model that calls one has not packed it, and reads what comes after the end of a sequence. The lengths
    that a scenario states are part of its model, so that has no other loss.

    Args:
        trace: of the run with lengths.
        request: what was recorded.
        generators: as they were before.
    """
    loss = request.loss
    if isinstance(request.module, ScenarioModel):
        return trace
    if loss is None or not trace.header.loss_is_known or trace.header.output_kind == "hidden":
        return trace
    args, kwargs = arguments(request.module, request.x, request.hx)
    with generators.again(), torch.no_grad(), preserve_state(request.module):
        own = float(loss(request.module(*args, **kwargs)))
    if math.isclose(own, trace.loss, rel_tol=_SAME) or (math.isnan(own) and math.isnan(trace.loss)):
        return trace
    text = (
        f"the loss with lengths=, {trace.loss:.6g}; the model itself, which is not given them, has {own:.6g}"
    )
    # By its depth: of `record` in the user's code.
    warnings.warn(
        f"lstmtui.record: this is not what the model computes: {text}", RuntimeWarning, stacklevel=4
    )
    return Trace(replace(trace.header, loss_text=text), trace.arrays)
