"""`lstmtui.recording`: what recurrent modules do in any block of code, as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.libraries import load_library

if TYPE_CHECKING:
    from lstmtui.capture.blocks.block import Block
    from lstmtui.capture.source.users_code import What


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

    The block is a training step, a rollout of a policy, a stream; no model is named. Whatever LSTM, GRU, RNN,
    Cell or `lstmtui.Recurrent` is called in it, in any thread, is recorded, under its path in the outermost
    module that was called, or the name of the variable that holds it. Calls that go on from one another are
    timesteps of one run, as in `lstmtui.record`, with the states that were changed in between beside it;
    a beginning from new states after a backward pass is a run of its own.

    The code computes what it computes without this, to the bit. Inputs, states, outputs and the gradients
    that come back are kept, and when the block ends every call is run again with everything recorded. The
    derivatives are those of all backward passes of the block, added up; where none came, they are absent. An
    exception goes on as it is, and what was recorded until then is there.

    Args:
        path: where to write the trace; None: it is in memory.
        source: what to record by source beside these modules, as in `lstmtui.record`: True for all code of
            the user's that runs in the block, the block's own lines too. None: all of it where no such module
            is called, and nothing where one is. False: nothing.
        time_axis: by source, which axis of the tensors that functions are called with is time, where that is
            ambiguous.
        batch_axis: by source, which of them is the sequences, where sizes leave it open.
        name: of the trace; left out: the type of the first outermost module.

    Returns:
        A context manager; after the block, its `trace` is the trace and `path` where it was written.

    Raises:
        TypeError: `source` is nothing that can be chosen.
        UserError: `path` is something else than a trace, or the block begins within `lstmtui.record`.
    """
    load_library("torch")
    from lstmtui.capture.blocks.block import Block
    from lstmtui.capture.source.input_axes import InputAxes

    return Block(path, source, name, InputAxes(time_axis, batch_axis))
