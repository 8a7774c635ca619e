"""What a model's code did until it raised an exception, as a trace."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from lstmtui.capture.assemble import assemble
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.taps.tapped_runs import TappedRuns
from lstmtui.trace import Trace

NO_LOSS = "the model raised an exception before there was a loss, so no derivatives were recorded"


def keep_until_raised(
    error: BaseException, code: SourceRecorder, tap: TappedRuns, module: nn.Module, name: str
) -> None:
    """Attach what was recorded so far to an exception of the model.

    Args:
        error: gets the trace as `lstmtui_trace`, and a note that says where it is.
        code: what recorded the model by source.
        tap: what recorded its recurrent layers; where it has a writer, the trace goes to its files.
        module: the model.
        name: what it is called.
    """
    try:
        trace = _until_raised(code, tap, module, name)
    except Exception as failure:
        # The user's own exception is what goes on.
        error.add_note(f"lstmtui: what was recorded until then cannot be kept: {failure}")
        return
    if trace is None:
        return
    place = "lstmtui.debug(error.lstmtui_trace) opens it"
    if tap.writer is not None:
        trace = tap.writer.finish(trace.header, trace.arrays)
        place = f"lstmtui open {tap.writer.directory.target} shows it"
    error.lstmtui_trace = trace  # type: ignore[attr-defined]
    error.add_note(f"lstmtui: what was recorded until then was kept; {place}")


def _until_raised(code: SourceRecorder, tap: TappedRuns, module: nn.Module, name: str) -> Trace | None:
    """The trace; None where nothing was over time."""
    tap.finish(NO_LOSS)
    code.group(None, [run.steps for run in tap.runs])
    by_source = code.finish(derived=False)
    if not by_source and not tap.runs:
        return None
    loss = torch.tensor(float("nan"), device="cpu")
    trace = assemble(name or type(module).__name__, module, tap.runs, loss, {}, None, None, by_source)
    raised = code.raised_at(len(trace.layers) - len(by_source), tap.runs[-1].steps if tap.runs else 0)
    header = replace(trace.header, loss_is_known=False, absent=NO_LOSS, raised=raised)
    return Trace(header, trace.arrays)
