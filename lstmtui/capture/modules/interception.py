"""Which modules are recurrent, and whether what they compute can be taken over."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from lstmtui.models.recurrent import Recurrent

SEQUENCES = (nn.LSTM, nn.GRU, nn.RNN, Recurrent)
CELLS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)


def kind_of(module: nn.Module) -> type[nn.Module] | None:
    """The class whose `forward` computes the recurrence, or None where there is none to be taken over."""
    return kind_of_class(module.__class__)


def kind_of_class(own: type[nn.Module]) -> type[nn.Module] | None:
    """The same as `kind_of`, for a module's class."""
    return next((kind for kind in (*SEQUENCES, *CELLS) if issubclass(own, kind)), None)


def is_plain(module: nn.Module) -> bool:
    """Whether a module is itself recurrent and returns just what PyTorch's class, or ours, computes."""
    kind = kind_of(module)
    return kind is not None and module.__class__.forward is kind.forward


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
        if getattr(compiled, "__func__", None) is not module.__class__.forward:
            raise TypeError(
                f"{where}{type(module).__name__} has a forward of its own, put on the object, "
                "and cannot be recorded; make it a method of a subclass"
            )


def check_not_quantised(module: nn.Module) -> None:
    """Refuse a module that computes with integers somewhere.

    Raises:
        TypeError: it does.
    """
    kinds = {type(part) for part in module.modules()} - {torch.ao.nn.quantized.FloatFunctional}
    if any(kind.__module__.startswith("torch.ao.nn.quantized") for kind in kinds):
        name = type(module).__name__
        raise TypeError(
            f"{name} is quantised, which hides what it computes; record the model from before quantisation"
        )
