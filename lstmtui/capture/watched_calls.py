"""One step of a training loop: the calls of its recurrent layers, kept so that they can be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.arguments import changed
from lstmtui.capture.tapped_calls import weights_of


@dataclass
class WatchedCall:
    """One call of a recurrent module: what it takes to run it again, and what came of it."""

    path: str
    module: nn.Module
    arguments: tuple[Any, ...]
    """x, hx, lengths as given, as copies out of the graph."""
    training: bool
    random: Tensor | None
    """The state of the CPU's generator, where dropout draws from it."""
    autocast: torch.dtype | None
    weights: dict[str, Tensor] = field(default_factory=dict)
    """As they were, by the names of the layout; shared between the calls of one step."""
    results: list[Tensor] = field(default_factory=list)
    """The output and the last states, out of the graph; a packed output's data. Empty if it never ended."""
    derivatives: dict[int, Tensor] = field(default_factory=dict)
    """∂L/∂ each result by all that follows it, by position; what the loss does not depend on is left out."""


@dataclass
class WatchedStep:
    """The calls that one call of the whole model made."""

    number: int
    calls: list[WatchedCall] = field(default_factory=list)
    backward: bool = False
    """Whether gradients have come back."""
    judged: bool = False
    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def began(self, path: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is about to be called."""
        named = {("x" if name == "input" else name): value for name, value in kwargs.items()}
        given = (*args, *(named.get(name) for name in ("x", "hx", "lengths")[len(args) :]))
        x = given[0].data if isinstance(given[0], PackedSequence) else given[0]
        kind = x.device.type
        drops = module.training and getattr(module, "dropout", 0.0) > 0
        with torch.inference_mode(False):
            copies = changed(given, lambda tensor: tensor.detach().clone())
        self.calls.append(
            WatchedCall(
                path,
                module,
                copies,
                module.training,
                torch.get_rng_state() if drops else None,
                torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None,
            )
        )

    def ended(self, module: nn.Module, result: Any) -> None:
        """The module that was called last has returned."""
        call = self.calls[-1]
        if id(module) not in self.weights:
            with at_rest(module):
                now = weights_of(module)
            self.weights[id(module)] = {name: value.detach().clone() for name, value in now.items()}
        call.weights = self.weights[id(module)]
        for position, tensor in enumerate(ends_of(result)):
            call.results.append(tensor.detach())
            if tensor.requires_grad:
                tensor.register_hook(self._keeper(call, position))  # type: ignore[no-untyped-call]

    def _keeper(self, call: WatchedCall, position: int) -> Callable[[Tensor], None]:
        """What keeps the gradient of a result; several backward passes add up."""

        def keep(gradient: Tensor) -> None:
            so_far = call.derivatives.get(position)
            call.derivatives[position] = gradient.detach() if so_far is None else so_far + gradient.detach()
            self.backward = True

        return keep


def ends_of(result: Any) -> list[Tensor]:
    """The output and the last states of a recurrent module; of a packed output its data."""
    if isinstance(result, PackedSequence):
        return [result.data]
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in ends_of(part)]
    return [result]


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """Within this context reading a weight that is computed from others changes nothing.

    A spectral norm in training takes one more step of its power iteration whenever it is read.
    """
    parts = list(getattr(module, "parametrizations", nn.Module()).modules())
    training = [part.training for part in parts]
    try:
        for part in parts:
            part.training = False
        yield
    finally:
        for part, was in zip(parts, training, strict=True):
            part.training = was
