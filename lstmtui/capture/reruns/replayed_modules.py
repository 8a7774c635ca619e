"""The modules of kept calls, rebuilt as PyTorch's plain ones and run with the arguments of each call."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.modules.interception import kind_of
from lstmtui.capture.reruns.loops_loss import derivatives_outside, loss_with
from lstmtui.capture.steps.watched_calls import WatchedCall, ends_of
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import layout_of


class Replay(nn.Module):
    """The modules of some calls at their paths, as PyTorch's plain ones with the parameters of the time.

    Args:
        calls: that ended.
        reached: the groups of calls that gradients came back to.
    """

    def __init__(self, calls: list[WatchedCall], reached: Collection[int]) -> None:
        super().__init__()
        self._calls, self._reached = calls, reached
        self.places = _places_of(calls)
        """The path at which the module of each call is."""
        self._plain: dict[str, nn.Module] = {}
        self._weights: dict[int, dict[str, nn.Parameter]] = {}
        for call, place in zip(calls, self.places, strict=True):
            if place not in self._plain:
                self._plain[place] = plain = rebuilt(call.module, call.weights)
                _put(self, place, plain)

    def forward(self, _: None) -> Tensor:
        """A loss whose gradients by all results are the gradients that came back to them."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for call, place in zip(self._calls, self.places, strict=True):
            plain = self._plain[place].train(call.training)
            self._give_weights(plain, call)
            if call.random is not None:
                torch.set_rng_state(call.random)
            kind = call.results[0].device.type
            reached = group_of(call) in self._reached
            autocast = torch.autocast(kind, call.autocast) if call.autocast else nullcontext()
            with autocast, torch.set_grad_enabled(reached):
                ends = ends_of(plain(*_given_arguments(call)))
                derivatives = derivatives_outside(plain, call) if reached else {}
            pairs += [(ends[position], gradient) for position, gradient in derivatives.items()]
        # A leaf, so that a loss of nothing is one too, whose derivatives are 0.
        leaf = torch.zeros((), device=self._calls[0].results[0].device, requires_grad=True)
        return loss_with(leaf, pairs)

    def _give_weights(self, plain: nn.Module, call: WatchedCall) -> None:
        """Load the weights of a call, which an optimizer may have changed since the call before."""
        if id(call.weights) not in self._weights:
            self._weights[id(call.weights)] = parameters_of(call.module, call.weights)
        for name, parameter in self._weights[id(call.weights)].items():
            setattr(plain, name, parameter)


def rebuilt(module: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """A plain module of the same sizes, which computes with these weights.

    Args:
        module: as `kind_of` knows it; a subclass, or one with computed weights, becomes PyTorch's class.
        weights: by the names of its layout.
    """
    kind, layout = kind_of(module), layout_of(module)
    assert kind is not None
    options: dict[str, Any] = {"bias": layout.bias}
    if not isinstance(module, nn.RNNCellBase):
        options |= {"num_layers": layout.num_layers, "bidirectional": layout.bidirectional}
        options |= {"batch_first": module.batch_first, "dropout": module.dropout}
        options |= {"proj_size": layout.proj_size} if layout.proj_size else {}
    if kind in (nn.RNN, nn.RNNCell):
        options["nonlinearity"] = layout.cell.name.removeprefix("rnn_")
    first = (layout.cell.name,) if kind is Recurrent else ()
    with torch.device("meta"):
        plain: nn.Module = kind(*first, layout.input_size, layout.hidden_size, **options)
    for name, parameter in parameters_of(module, weights).items():
        setattr(plain, name, parameter)
    return plain


def parameters_of(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, nn.Parameter]:
    """Parameters with these values, by the names that the module has for them."""
    end = "_l0" if isinstance(module, nn.RNNCellBase) else ""
    # Their gradients are those that each recorded call makes, added up: they need none of their own.
    return {
        name.removesuffix(end): nn.Parameter(value, requires_grad=False) for name, value in weights.items()
    }


def group_of(call: WatchedCall) -> int:
    """What tells the calls that have derivatives together: those of a run, or of a module."""
    return id(call.module) if call.link is None else id(call.link.chain)


def _places_of(calls: list[WatchedCall]) -> list[str]:
    """The path of the module of each call; @2, @3 … for runs whose parameters are not its first run's."""
    paths = _paths_of(calls)
    begun: dict[int, dict[int, int]] = {}
    """By module, the parameters with which each of its groups of calls begins."""
    for call in calls:
        begun.setdefault(id(call.module), {}).setdefault(group_of(call), id(call.weights))
    numbers: dict[int, int] = {}
    for groups in begun.values():
        numbers |= {group: n if len({*groups.values()}) > 1 else 1 for n, group in enumerate(groups, 1)}
    places = [(paths[id(call.module)], numbers[group_of(call)]) for call in calls]
    return [f"{path}@{number}" if number > 1 else path for path, number in places]


def _paths_of(calls: list[WatchedCall]) -> dict[int, str]:
    """Where each module is, by its id; a model that is a layer itself has a path here too."""
    taken = {call.path.partition(".")[0] for call in calls}
    paths = {}
    for call in calls:
        kind = kind_of(call.module)
        assert kind is not None
        own = kind.__name__.lower()
        while own in taken:
            own += "_"
        paths[id(call.module)] = call.path or own
    return paths


def _given_arguments(call: WatchedCall) -> tuple[Any, ...]:
    """The arguments up to the last that was given."""
    arguments = list(call.arguments)
    while arguments and arguments[-1] is None:
        arguments.pop()
    return tuple(arguments)


def _put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Register a module at a path such as "encoder.rnn"."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in dict(root.named_children()):
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)
