"""What a module's own class computes, taken over for the time of a recording."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lstmtui.models.recurrent import Recurrent

SEQUENCES = (nn.LSTM, nn.GRU, nn.RNN, Recurrent)
CELLS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)

Handler = Callable[..., Any]
"""Called in place of the class's forward: (its own forward, the arguments of the call …)."""


def kind_of(module: nn.Module) -> type[nn.Module] | None:
    """The class whose `forward` computes the recurrence, or None where there is none to be taken over."""
    return next((kind for kind in (*SEQUENCES, *CELLS) if isinstance(module, kind)), None)


def is_plain(module: nn.Module) -> bool:
    """Whether a module is itself recurrent and returns just what PyTorch's class, or ours, computes."""
    kind = kind_of(module)
    return kind is not None and type(module).forward is kind.forward


def intercept(module: nn.Module, handler: Handler) -> None:
    """Have `handler` called wherever the module's class would compute the recurrence.

    A subclass with a `forward` of its own keeps it: its `super().forward(…)` is what reaches the handler.
    Nothing but this one object is changed, and only its `__class__`, to a class made for it.

    Args:
        module: for which `kind_of` is not None.
        handler: called with the forward it stands for and the call's arguments.
    """
    kind, given = kind_of(module), type(module)
    assert kind is not None

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return handler(kind.forward.__get__(self), *args, **kwargs)

    tapped = type(given.__name__, (kind,), {"forward": forward, "__module__": given.__module__})
    if given is not kind:
        # Behind the subclass and before PyTorch's class in the order in which methods are looked up.
        tapped = type(given.__name__, (given, tapped), {"__module__": given.__module__})
    if "forward" in vars(module):  # as compiled by `m.forward = torch.compile(m.forward)`
        del vars(module)["forward"]
    object.__setattr__(module, "__class__", tapped)


def check_forward(path: str, module: nn.Module) -> None:
    """Refuse a module whose recurrence cannot be taken over, rather than show what it does not compute.

    Raises:
        TypeError: a `forward` was put on the object itself, or the module is TorchScript.
    """
    where = f"{path}: " if path else ""
    if isinstance(module, torch.jit.ScriptModule):
        name = getattr(module, "original_name", type(module).__name__)
        if any(name == kind.__name__ for kind in (*SEQUENCES, *CELLS)) or not path:
            raise TypeError(
                f"{where}{name} is compiled by torch.jit, which hides what it computes; "
                "record the Python module it was made from"
            )
    elif kind_of(module) is not None and "forward" in vars(module):
        own = vars(module)["forward"]
        compiled = inspect.unwrap(own) if hasattr(own, "_torchdynamo_orig_callable") else None
        if getattr(compiled, "__func__", None) is not type(module).forward:
            raise TypeError(
                f"{where}{type(module).__name__} has a forward of its own, put on the object, "
                "and cannot be recorded; make it a method of a subclass"
            )
