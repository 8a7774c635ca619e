"""`lstmtui.watch`: what a training loop did just before something went wrong, as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.libraries import load_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from torch import nn

    from lstmtui.capture.source.code.users_code import What
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

    Within the block, every call of the model is a step, counted from 0. For the last `keep` steps, the
    inputs, initial states, parameters and outputs of the recurrent layers and the gradients of these outputs
    are kept in memory; nothing is written to disk. A step is checked when the next one begins. If the
    condition holds in any layer, direction, sequence and timestep, or if an exception leaves the block, the
    kept steps are run again with everything recorded and written to `path`, as one trace each, named "step
    17". The gradients are those of the loop's own loss.

    Training gives the same bits as without the watch, and exceptions pass through unchanged. If something
    goes wrong in the watch itself, it prints a line to stderr. Code compiled by torch.compile runs uncompiled
    within the block. Each thread has its own steps.

    A condition that only reads h of one-layer modules is looked up in what the modules returned. If it reads
    other values, the layers are run forward again; if it reads derivatives, forward and backward. Code that
    is recorded by source is recorded in every step, as it runs; the condition may then use its variables, as
    in "max(abs(forget_gate)) > 0.99 or isnan(norm(dnew_c))".

    Args:
        model: any nn.Module that holds recurrent layers, or whose code is recorded by source.
        when: a condition of the command language, such as "norm(c) > 50". None: exceptions only.
        keep: how many steps are kept and written.
        path: the directory to write to; later steps of the same block are added to it. `lstmtui open PATH
            --follow` follows it. Rank n of a distributed training writes to `path-rankn`; a process that
            finds another one writing to `path` takes `path-2` and so on, and reports where it writes.
        every: check every `every`-th step only.
        limit: stop checking after the condition has held this many times. If it holds in consecutive steps,
            that counts once.
        source: what to record by source in addition to recurrent layers, as in `lstmtui.record`. True: all of
            the user's code that runs within a call of the model. None: all of it if the model holds no
            recurrent layer, otherwise nothing. False: nothing.
        time_axis: by source, which axis of the input's tensors is time, if that is ambiguous.
        batch_axis: by source, which axis is the sequences, if the sizes leave it open.

    Returns:
        A context manager. Its `written` has a sentence for each time something was written.

    Raises:
        UserError: the condition cannot be parsed or does not apply to these layers, or `path` is not a trace.
        TypeError: the model holds nothing recurrent and `source` is False, or `source` cannot be recorded.
        ValueError: a number is less than 1, or an axis is given although nothing is recorded by source.
    """
    load_library("torch")
    from lstmtui.capture.modules.interception import kind_of
    from lstmtui.capture.modules.wrapped import named_modules, unwrapped
    from lstmtui.capture.readiness import chosen_source
    from lstmtui.capture.source.input_axes import InputAxes
    from lstmtui.capture.watching.watch import Watch, options_of
    from lstmtui.expressions import Expression, ExpressionError, open_vocabulary
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
        condition = None if when is None else WholeRunCondition(Expression(when, words))
        return Watch(model, condition, path, keep=keep, every=every, limit=limit, source=source, axes=axes)
    except ExpressionError as error:
        text = printable(when or "")
        raise UserError(f"when: {error}\n  {text}\n  {' ' * error.column}^") from error
