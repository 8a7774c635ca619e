"""How a model's forward is called: which of its arguments is the state, and which the lengths."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from lstmtui.capture.modules.interception import SEQUENCES, kind_of

_STATE = re.compile(r"state|hidden|^(h|c|hx|cx|hc|h_?[0n]|c_?[0n]|carry|memory|mems?|past)$")
_LENGTHS = re.compile(r"(^|_)(lens?|lengths?)$")
_NOT = re.compile(r"mask|size|start|max|total|return|output|use")
_RESET = re.compile(r"^(reset|(reset|clear|zero)_(rnn_|lstm_|hidden_)?(states?|hidden|memory|carry))$")


@dataclass(frozen=True)
class Signature:
    """The arguments of a forward, by their roles."""

    names: tuple[str, ...] = ()
    """Every argument that can be given by its name, in order; empty where that is not known."""
    states: tuple[str, ...] = ()
    """The arguments that take a state: one, or h and c apart."""
    lengths: str = ""
    """The argument that takes the lengths of the sequences; empty where there is none."""
    needs_state: bool = False
    """Whether it cannot be called without a state."""
    needs_lengths: bool = False
    """Whether it cannot be called without lengths."""


def signature_of(model: Any) -> Signature:
    """What a model's forward takes, read off the names of its arguments."""
    forward = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        return Signature()
    usual = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [p for p in parameters if p.kind in usual]
    if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in parameters):
        return Signature()
    rest = named[1:]  # the first is what is read
    states = tuple(p for p in rest if _STATE.search(p.name) and not _NOT.search(p.name))
    lengths = next((p for p in rest if _LENGTHS.search(p.name) and not _NOT.search(p.name)), None)
    return Signature(
        tuple(p.name for p in named),
        tuple(p.name for p in states),
        "" if lengths is None else lengths.name,
        any(p.default is p.empty for p in states),
        lengths is not None and lengths.default is lengths.empty,
    )


def reset_of(model: Any) -> Callable[[Any], Any] | None:
    """The method by which a model that keeps its state on itself begins anew; None where it has none."""
    if not isinstance(model, nn.Module):
        return None
    for name in dir(type(model)):
        if not _RESET.match(name):
            continue
        method = getattr(type(model), name)
        try:
            _, *others = inspect.signature(method).parameters.values()
        except (TypeError, ValueError):
            continue
        if all(p.default is not p.empty for p in others):
            return cast(Callable[[Any], Any], method)
    return None


def is_sequence_module(model: Any) -> bool:
    """Whether the model is itself one of PyTorch's recurrent stacks, or `lstmtui.Recurrent`."""
    return isinstance(model, nn.Module) and kind_of(model) in SEQUENCES
