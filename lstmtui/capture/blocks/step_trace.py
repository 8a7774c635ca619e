"""The trace of calls in somebody's code: of recurrent modules, and of what was recorded by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from lstmtui.capture.assemble import assemble
from lstmtui.capture.reruns.replay import replayed
from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.capture.source.recorders.hooked_recorder import HookedRecorder
from lstmtui.capture.steps.watched_calls import WatchedStep
from lstmtui.capture.stores.deferred_arrays import arrays_of, entries_of
from lstmtui.capture.to_numpy import own_array
from lstmtui.trace import Trace


def trace_of(
    step: WatchedStep,
    code: HookedRecorder | None,
    name: str,
    *,
    why_absent: str,
    loss_text: str,
    has_raised: bool,
    derivatives: bool = True,
    parameters: Mapping[str, Tensor] | None = None,
) -> Trace | None:
    """The trace of a step; None if nothing was recorded of it.

    Args:
        step: whose calls of recurrent modules are run again.
        code: what recorded the code by source; its layers follow the others.
        name: of the trace.
        why_absent: why the code has no derivatives, where no backward pass came to it.
        loss_text: what the derivatives are of, in words.
        has_raised: whether an exception ended the step.
        derivatives: whether those of the recurrent modules are wanted; without them it takes half the time.
        parameters: by name, those of modules whose code was recorded.
    """

    def by_source(lengths: Sequence[int]) -> list[SourceLayer]:
        return [] if code is None else code.layers_now(lengths, why_absent)

    nan = float("nan")
    if any(call.results for call in step.calls):
        trace = replayed(step, name, derivatives=derivatives, loss_text=loss_text, beside=by_source)
    elif layers := by_source([]):
        trace = assemble(name, nn.Module(), [], torch.tensor(nan, device="cpu"), {}, None, None, layers)
        text = "" if layers[0].layer.absent else loss_text
        trace = Trace(replace(trace.header, loss_text=text), trace.arrays)
    else:
        return None
    loss, raised = step.losses.total, None
    if has_raised and code is not None:
        raised = code.raised_at(len(trace.layers) - len(code.layers))
    own = {"parameters/" + name: own_array(value) for name, value in (parameters or {}).items()}
    header = replace(
        trace.header, raised=raised, loss=nan if loss is None else loss, loss_is_known=loss is not None
    )
    return Trace(header, arrays_of({**own, **entries_of(trace.arrays)}))
