"""`lstmtui.recording`: what recurrent modules do in any block of code, as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.libraries import load_library

if TYPE_CHECKING:
    from lstmtui.capture.blocks.block import Block
    from lstmtui.capture.source.code.users_code import What


def recording(
    path: str | Path | None = None,
    source: What | None = None,
    *,
    time_axis: int | None = None,
    batch_axis: int | None = None,
    name: str = "",
) -> Block:
    """Record every recurrent module that is called in a block of code, or the code itself by source.

        with lstmtui.recording() as r:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        r.trace.norms("dh")

    The block may be a training step, a policy's rollout or a stream; you do not name a model. Every LSTM,
    GRU, RNN, Cell or `lstmtui.Recurrent` that is called in the block, in any thread, is recorded. Its name is
    its path in the outermost module that was called, or the variable that holds it. Calls that continue from
    one another are timesteps of one run, as in `lstmtui.record`, and states that were changed in between are
    kept too. After a backward pass, a call with new states begins a run of its own.

    The block computes the same bits as without the recording. Inputs, states, outputs and incoming gradients
    are kept, and when the block ends every call is run again with everything recorded. The derivatives are
    those of all backward passes of the block that came to what is recorded, added up, and so is the loss; if
    there was none, they are absent. An exception passes through unchanged, and what was recorded until then
    is available.

    Args:
        path: where to write the trace. None: it stays in memory.
        source: what to record by source in addition to these modules, as in `lstmtui.record`. True: all of
            the user's code that runs in the block, including the block's own lines. None: all of it if no
            such module is called, otherwise nothing. False: nothing.
        time_axis: by source, which axis of the tensors passed to functions is time, if that is ambiguous.
        batch_axis: by source, which axis is the sequences, if the sizes leave it open.
        name: the name of the trace. If left out, the type of the first outermost module.

    Returns:
        A context manager. After the block, its `trace` is the trace, and its `path` is where it was written.

    Raises:
        TypeError: `source` cannot be recorded.
        UserError: `path` exists and is not a trace, or the block begins within `lstmtui.record`.
    """
    load_library("torch")
    from lstmtui.capture.blocks.block import Block
    from lstmtui.capture.source.input_axes import InputAxes

    return Block(path, source, name, InputAxes(time_axis, batch_axis))
