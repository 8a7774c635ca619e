"""The backward pass of a recording: from the loss to parameters, output and the names that code has bound."""

from __future__ import annotations

from torch import Tensor, nn

from lstmtui.capture.gradients import gradients_of
from lstmtui.capture.loss.not_reached import hanging
from lstmtui.capture.modules.wrapped import named_parameters
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.taps.tap import Tap


def differentiate(
    loss: Tensor, module: nn.Module, tap: Tap, output: Tensor | None, code: SourceRecorder | None
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The gradients by every parameter that has one, and by the output.

    Args:
        loss: the scalar.
        module: what is recorded.
        tap: what records it.
        output: None, or what the module returned for each timestep.
        code: what records it by source, which takes the gradients by all that was bound.
    """
    named = {name: p for name, p in named_parameters(module) if p.requires_grad}
    sources = [tap.anchor, *named.values()]
    if output is not None and output.requires_grad:
        sources.append(output)
    if not loss.requires_grad:
        return {}, None
    tap.forget_derivatives()
    ends = [] if code is None else code.tracer.ends()
    try:
        derivatives = gradients_of(
            loss.reshape(()),
            [*sources, *ends],
            through_functions=tap.recomputation.is_possible or tap.cuts.is_run_again,
            hooked=frozenset() if code is None else code.tracer.hooked,
        )
    except RuntimeError as error:
        if not (layer := hanging(tap.runs)):
            raise
        raise RuntimeError(f"{layer}; it is gone: detach the state between calls") from error
    if code is not None:
        code.tracer.derive(derivatives[len(sources) :])
    derivatives = derivatives[: len(sources)]
    gradients = {n: g for n, g in zip(named, derivatives[1:], strict=False) if g is not None}
    return gradients, derivatives[-1] if len(sources) > 1 + len(named) else None
