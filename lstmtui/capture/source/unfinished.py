"""What a model's code did until it raised an exception, as a trace."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from lstmtui.capture.assemble import assemble
from lstmtui.capture.source.recorder import SourceRecorder
from lstmtui.trace import Trace
from lstmtui.trace.writing import TraceWriter

NO_LOSS = "the model raised an exception before there was a loss, so no derivatives were recorded"


def keep_until_raised(
    error: BaseException, code: SourceRecorder, module: nn.Module, name: str, writer: TraceWriter | None
) -> None:
    """Have an exception of the model's code lead to what was recorded until then.

    Args:
        error: gets the trace as `lstmtui_trace`, and a note that says where it is.
        code: what recorded the model.
        module: the model.
        name: what it is called.
        writer: of the files where the trace goes; None: it stays in memory.
    """
    code.group(None, [])
    layers = code.finish(derived=False)
    if not layers:
        return
    loss = torch.tensor(float("nan"))
    trace = assemble(name or type(module).__name__, module, [], loss, {}, None, None, layers)
    header = replace(trace.header, loss_is_known=False, absent=NO_LOSS, raised=code.raised_at())
    if writer is None:
        trace, place = Trace(header, trace.arrays), "lstmtui.debug(error.lstmtui_trace) opens it"
    else:
        trace = writer.finish(header, trace.arrays)
        place = f"lstmtui open {writer.directory.target} shows it"
    error.lstmtui_trace = trace  # type: ignore[attr-defined]
    error.add_note(f"lstmtui: what was recorded until then was kept; {place}")
