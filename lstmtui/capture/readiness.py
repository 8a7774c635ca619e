"""Whether a user's module can be recorded, and how."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from lstmtui.capture.modules.interception import check_not_quantised, kind_of
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.wording import listed


def ready(module: nn.Module, source: What | None) -> nn.Module:
    """The module, or where it was made in inference mode a copy that can be differentiated.

    Raises:
        TypeError: it holds nothing that can be recorded, or parameters that have no shape or no numbers yet.
    """
    name = type(module).__name__
    tensors = [*module.parameters(), *module.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise TypeError(f"{name}: has lazy parameters without a shape; call it once first")
    if any(tensor.is_meta for tensor in tensors):
        raise TypeError(f"{name}: has parameters on the meta device; give them numbers first")
    if any(tensor.is_inference() for tensor in tensors):
        module = copy.deepcopy(module)
    if not holds_recurrent(module):
        check_not_quantised(module)
        if source is False:
            why = "recurrence that it writes out itself is recorded by source, which source=False turns off"
            raise TypeError(nothing_recorded(module, why))
    return module


def nothing_recorded(module: nn.Module, why: str, without_super: str = "") -> str:
    """The message that a module holds nothing recurrent that can be recorded.

    Args:
        module: the user's.
        why: nothing was recorded by source either; empty where that was not tried.
        without_super: the subclasses that computed everything themselves, in words.
    """
    name = type(module).__name__
    if isinstance(module, torch.fx.GraphModule):
        unrolled = "is a graph of torch.fx, as torch.export makes it, in which every loop is unrolled"
        return f"{name} {unrolled}; record the Python module it was made from"
    compiled = _compiled_in(module)
    if compiled:
        hidden = f"{listed(compiled)} is compiled by torch.jit, which hides what it computes"
        return f"{name}: {hidden}; record it with the Python module that was made from"
    if not holds_recurrent(module):
        return f"{name} holds no LSTM, GRU, RNN, their Cells or lstmtui.Recurrent; {why}"
    more = f"; {why}" if why else ""
    if without_super:
        return f"{name}: none of PyTorch's recurrent layers computed anything: {without_super}{more}"
    ways = "or only in ways that leave out the forward of PyTorch's class"
    return f"{name}: none of its recurrent layers was called, {ways}{more}"


def _compiled_in(module: nn.Module) -> list[str]:
    """The paths of the outermost modules that are compiled by torch.jit."""
    paths = [path for path, m in module.named_modules() if path and isinstance(m, torch.jit.ScriptModule)]
    return [path for path in paths if not any(path.startswith(f"{outer}.") for outer in paths)]


def holds_recurrent(module: nn.Module) -> bool:
    """Whether it holds a recurrent layer that is recorded as such, or TorchScript that may be one."""
    return any(isinstance(m, torch.jit.ScriptModule) or kind_of(m) for m in module.modules())


def recorder_of(
    module: nn.Module, source: What | None, axes: InputAxes, arguments: Any
) -> SourceRecorder | None:
    """What records the module by source; None where only its recurrent layers are recorded."""
    chosen = chosen_source(module, source, axes)
    return None if chosen is None else SourceRecorder(module, chosen, arguments, axes)


def chosen_source(module: nn.Module, source: What | None, axes: InputAxes) -> What | None:
    """What of a module's code is to be recorded by source; None where that is nothing.

    Left open, that is all where it holds no recurrent layers, or one whose class has a forward of its own,
    which may compute everything itself.

    Raises:
        ValueError: there is an axis of time, and nothing that it would be for.
    """
    kinds = [(m, kind) for m in module.modules() if (kind := kind_of(m)) is not None]
    is_open = not kinds or any(type(m).forward is not kind.forward for m, kind in kinds)
    if source is False or (source is None and not is_open):
        if axes.said:
            raise ValueError(f"{axes.said}: is for code that is recorded by source; say source=True too")
        return None
    return True if source is None else source
