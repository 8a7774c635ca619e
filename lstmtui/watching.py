"""`lstmtui.watch`: what a training loop did just before something went wrong, as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.libraries import load_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from torch import nn

    from lstmtui.capture.source.users_code import What
    from lstmtui.capture.watching.watch import Watch


def watch(
    model: nn.Module,
    when: str | None = None,
    keep: int = 8,
    path: str | Path = "runs/watch",
    *,
    every: int = 1,
    limit: int = 4,
    source: What | None = None,
    time_axis: int | None = None,
    batch_axis: int | None = None,
) -> Watch:
    """Keep the last steps of a training loop, and write them as a trace when a condition holds.

        with lstmtui.watch(model, when="norm(dh) > 1e3 or any(isnan(h))", path="runs/w"):
            for batch in loader:
                ...

    Within the block every call of the model is a step, counted from 0. Of the last `keep` steps, the inputs
    of the recurrent layers, their initial states, parameters, outputs and the gradients of these are kept in
    memory, and nothing on disk. A step is judged when the next one begins. Where the condition holds in any
    layer, direction, sequence and timestep, or an exception leaves the block, the kept steps are run again
    with everything recorded, and written to `path`: one trace for each, named "step 17". The gradients are
    those of the loop's own loss. The exception goes on as it is, training is the same to the bit, and what
    goes wrong in the watch itself is a line on stderr. What torch.compile has compiled runs uncompiled within
    the block. Threads have steps of their own.

    A condition that reads only h of modules of one layer is looked up in what they returned. One that reads
    other values runs the layers forward again, and one that reads derivatives forward and backward. Code that
    is recorded by source is so in every step, as it runs; the condition may name its variables, such as
    "max(abs(forget_gate)) > 0.99 or isnan(norm(dnew_c))".

    Args:
        model: any nn.Module that holds recurrent layers, or whose code is recorded by source.
        when: a condition of the command language, such as "norm(c) > 50"; None: exceptions only.
        keep: how many steps are kept and written.
        path: where to; what is written later in the same block is added. `lstmtui open PATH --follow`
            follows it. Rank n of a distributed training writes to `path-rankn`, and a process that finds
            others at work there to `path-2` and so on; what it writes says where.
        every: judge every so many steps only.
        limit: stop judging after so many times. A condition that goes on holding counts once.
        source: what to record by source beside recurrent layers, as in `lstmtui.record`: True for all code of
            the user's that runs within a call of the model. None: all of it where the model holds no
            recurrent layer, and nothing where it holds some. False: nothing.
        time_axis: by source, which axis of the input's tensors is time, where that is ambiguous.
        batch_axis: by source, which of them is the sequences, where sizes leave it open.

    Returns:
        A context manager; its `written` has a sentence for each time something was written.

    Raises:
        UserError: the condition is not one, or means nothing for these layers; `path` is not a trace.
        TypeError: the model holds nothing recurrent, and source=False; `source` is nothing that can be
            chosen.
        ValueError: a number is not at least 1; an axis is said where nothing is recorded by source.
    """
    load_library("torch")
    from lstmtui.capture.interception import kind_of
    from lstmtui.capture.readiness import chosen_source
    from lstmtui.capture.source.input_axes import InputAxes
    from lstmtui.capture.watching.watch import Watch, options_of
    from lstmtui.capture.wrapped import named_modules, unwrapped
    from lstmtui.expressions import ExpressionError, compile_expression, open_vocabulary
    from lstmtui.expressions.whole_run import WholeRunCondition
    from lstmtui.models.stock import layout_of

    options_of(keep, every, limit)
    axes = InputAxes(time_axis, batch_axis)
    has_code = chosen_source(unwrapped(model), source, axes) is not None
    # Which names the code has is seen when it runs.
    modules = (
        [module for _, module in named_modules(model) if kind_of(module) is not None] if has_code else []
    )
    words = open_vocabulary(layout_of(module).cell for module in modules) if has_code else None
    try:
        condition = None if when is None else WholeRunCondition(compile_expression(when, words))
        return Watch(model, condition, path, keep=keep, every=every, limit=limit, source=source, axes=axes)
    except ExpressionError as error:
        text = printable(when or "")
        raise UserError(f"when: {error}\n  {text}\n  {' ' * error.column}^") from error
