"""Checks after the model has run: its loss, and whether anything was recorded."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.readiness import nothing_recorded
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.taps.tap import Tap
from lstmtui.wording import counted

OTHERWISE = "source=True records the code of the model itself, by its variables"


def check_loss(loss: Any) -> str:
    """Why there will be no derivatives; empty if the loss has a gradient."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"loss: must return a scalar tensor, has returned {what}")
    if loss.requires_grad:
        return ""
    why = "the loss has no gradient (detach, no_grad or argmax on the way to it?)"
    # By its depth: of `record` in the user's code.
    warnings.warn(f"lstmtui.record: {why}; no derivatives are recorded", RuntimeWarning, stacklevel=4)
    return f"{why}, so no derivatives were recorded"


def check_recorded(
    tap: Tap, module: nn.Module, code: SourceRecorder | None, result: Any, *, is_chosen: bool
) -> SourceRecorder | None:
    """What continues to record by source, once it is known what ran.

    Raises:
        TypeError: nothing that can be recorded did.
        ValueError: the lengths fit nothing that did.
    """
    if code is not None and tap.last is not None and not is_chosen:
        code.tracer.release()
        code = None
    if code is not None:
        steps = [run.length for run in tap.runs]
        code.group(result, steps)
        if code.is_without_input:
            raise ValueError("x: there is no sequence or no timestep in it")
        if code.chose_nothing:
            raise TypeError(code.refusal())
    if tap.last is None and (code is None or not code.steps):
        refusal = OTHERWISE if code is None else code.refusal()
        raise TypeError(nothing_recorded(module, refusal, tap.without_super))
    if code is None and tap.without_super:
        # By its depth: of `record` in the user's code.
        warnings.warn(f"lstmtui.record: left out is {tap.without_super}", RuntimeWarning, stacklevel=5)
    if tap.lengths is not None and not tap.lengths_fit:
        sequences = counted(tap.lengths.numel(), "sequence")
        timesteps = counted(int(tap.lengths.max()), "timestep")
        raise ValueError(
            f"lengths: no recurrent layer was called with {sequences} of at least {timesteps} that are not "
            "packed"
        )
    return code
