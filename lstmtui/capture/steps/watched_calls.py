"""One step of a training loop: the calls of its recurrent layers, kept so that they can be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.autograd_state import Graph, graph
from lstmtui.capture.loss.heard_losses import HeardLosses
from lstmtui.capture.modules.arguments import changed, states_of
from lstmtui.capture.origins.continuity import Link
from lstmtui.capture.origins.drawn_tensors import Drawing, DrawnTensors
from lstmtui.capture.origins.state_origins import Place, StateOrigins
from lstmtui.capture.recording import Repeatable
from lstmtui.capture.source.recorders.watched_code import WatchedCode
from lstmtui.capture.taps.recomputation import Recomputation, TappedCall, inputs_of
from lstmtui.models.stock import layout_of
from lstmtui.models.torch_compat import version_of, without_modes
from lstmtui.models.unroll import States
from lstmtui.trace.state_origin import StateOrigin

_STEP = "lstmtui step"
"""The key under which nodes of a graph have the number of the step that made them."""


@dataclass
class WatchedCall(Repeatable):
    """One call of a recurrent module: what is needed to run it again, and its results."""

    path: str
    module: nn.Module
    arguments: tuple[Any, ...]
    """x, hx, lengths as given, as copies out of the graph: leaves, which require a gradient as those did."""
    training: bool
    random: Tensor | None
    """The state of the CPU's generator, where dropout draws from it."""
    autocast: torch.dtype | None
    graph: Graph
    weights: dict[str, Tensor] = field(default_factory=dict)
    """As they were, by the names of the layout; shared between the calls of one step."""
    results: list[Tensor] = field(default_factory=list)
    """The output and the last states, out of the graph; a packed output's data. Empty if it never ended."""
    versions: list[int] = field(default_factory=list)
    """Of the results, as the call returned them."""
    derivatives: dict[int, Tensor] = field(default_factory=dict)
    """∂L/∂ each result by all that follows it, by position; what no gradient came back to is left out."""
    twice: bool = False
    """Whether a gradient that came back was to be differentiated itself."""
    link: Link | None = None
    """The calls that it is one of, which are one run; None: that is told when it is run again."""
    number: int = 0
    """Of the call among those of a block, once it has ended."""
    moment: int = 0
    """When it began, as its step counts."""
    origins: Mapping[Place, StateOrigin] = field(default_factory=dict)
    """Where its states come from, of the first call of a run; empty where that is not known."""

    @property
    def is_intact(self) -> bool:
        """Whether the results are as they were returned: nothing has been written into them."""
        now = [version_of(result) for result in self.results]
        return now == self.versions


@dataclass
class WatchedStep:
    """The calls that one call of the whole model made."""

    number: int
    thread: int
    """Which the model was called in."""
    calls: list[WatchedCall] = field(default_factory=list)
    backward: bool = False
    """Whether gradients have come back to its calls."""
    judged: bool = False
    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    recomputation: Recomputation = field(default_factory=Recomputation)
    code: WatchedCode | None = None
    """What its code bound; None where that is not recorded."""

    drawn: DrawnTensors | None = None
    """What is drawn at random; None: that is not known."""
    losses: HeardLosses = field(default_factory=HeardLosses)
    """Those of the backward passes that came to it."""
    drawing: Drawing | None = None
    """What takes note of that, while it does."""
    moment: Callable[[], int] = field(default_factory=lambda: count().__next__)
    """Gives a number that is larger each time, also than what its code has bound until then."""
    before: dict[int, States] = field(default_factory=dict)
    """What modules ended with in the step before, by their ids."""

    def __post_init__(self) -> None:
        self._state_origins = StateOrigins(drawn=self.drawn, is_older=self.is_older)

    def is_older(self, node: Any) -> bool:
        """Whether a node of a graph is what a module returned in an earlier step."""
        return bool(node.metadata.get(_STEP, self.number) < self.number)

    @property
    def last_states(self) -> dict[int, States]:
        """What modules ended with, by their ids."""
        return {id(call.module): last_of(call) for call in self.calls if call.results}

    @property
    def is_recorded(self) -> bool:
        """Whether there is anything of it to be written."""
        return self.code is not None or any(call.results for call in self.calls)

    @property
    def has_gradients(self) -> bool:
        """Whether gradients have come back to any part of it."""
        return self.backward or (self.code is not None and self.code.is_derived)

    def let_go(self) -> None:
        """Take away what was left in the user's graph and parameters."""
        if self.code is not None:
            self.code.release()

    def add(self, call: WatchedCall, inputs: tuple[Any, ...]) -> None:
        """A call of the forward has begun."""
        if call.link is None and not any(other.module is call.module for other in self.calls):
            states, before = states_of(inputs[1]), self.before.get(id(call.module), ())
            call.origins = self._state_origins.beginnings(layout_of(call.module), states, before=before)
        self.calls.append(call)
        if call.graph == "in a function":
            self.recomputation.add(
                TappedCall(call.module, call.graph, [call], inputs_of(*tensors_of(inputs)))
            )

    def ended(self, call: WatchedCall, result: Any, trouble: Callable[[Exception], None]) -> None:
        """A module has returned; what goes wrong in the backward pass is passed to `trouble`."""
        call.weights = self.weights_of(call.module)
        results = ends_of(result)
        call.versions = [version_of(tensor) for tensor in results]
        call.results = [tensor.detach() for tensor in results]
        for node in (tensor.grad_fn for tensor in results):
            if node is not None:
                metadata: Any = node.metadata
                metadata[_STEP] = self.number
        self.keep_gradients(call, results, trouble)

    def weights_of(self, module: nn.Module) -> dict[str, Tensor]:
        """Copies of a module's parameters, which stay the same within a step."""
        if id(module) not in self.weights:
            self.weights[id(module)] = weights_at_rest(module)
        return self.weights[id(module)]

    def keep_gradients(
        self, call: WatchedCall, results: list[Tensor], trouble: Callable[[Exception], None]
    ) -> None:
        """Keep the gradients that come back to these results; several backward passes add up."""

        def keep(position: int, gradient: Tensor | None) -> None:
            target, self.backward = call.reached(), True
            self.losses.reach()
            target.twice |= torch.is_grad_enabled()
            if target.link is not None:
                chain = target.link.chain
                chain.differentiated = max(chain.differentiated, target.number)
            if gradient is None:  # undefined, which is 0
                gradient = torch.zeros_like(target.results[position])
            so_far = target.derivatives.get(position)
            gradient = gradient.detach()
            target.derivatives[position] = gradient if so_far is None else so_far + gradient

        def keeper(position: int) -> Callable[[Tensor | None], None]:
            def kept(gradient: Tensor | None) -> None:
                try:
                    with without_modes():
                        keep(position, gradient)
                except Exception as error:
                    trouble(error)

            return kept

        for position, tensor in enumerate(results):
            if tensor.requires_grad:
                tensor.register_hook(keeper(position))  # type: ignore[no-untyped-call]


def watched_call(path: str, module: nn.Module, inputs: tuple[Any, ...]) -> WatchedCall:
    """A call that is about to begin.

    Args:
        path: of the module.
        module: that is called.
        inputs: x, hx, lengths.
    """
    x = inputs[0].data if isinstance(inputs[0], PackedSequence) else inputs[0]
    kind = x.device.type
    drops = module.training and getattr(module, "dropout", 0.0) > 0
    state = graph()
    with torch.inference_mode(False), torch.no_grad():
        x_copy, lengths_copy = changed((inputs[0], inputs[2]), lambda tensor: tensor.detach().clone())
        # Whether a gradient goes back through the states is known by what requires one.
        hx_copy = changed(inputs[1], lambda state: state.detach().clone().requires_grad_(state.requires_grad))
        copies = (x_copy, hx_copy, lengths_copy)
    return WatchedCall(
        path,
        module,
        copies,
        module.training,
        torch.get_rng_state() if drops else None,
        torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None,
        state,
    )


def weights_at_rest(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that a module computes with, by the names of its layout.

    Nothing of the module changes, nor does a graph that is being built, or is run again by a checkpoint.
    """
    with weights_now(module) as now:
        return {name: weight.clone() for name, weight in now.items()}


@contextmanager
def weights_now(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Within this context the parameters that a module computes with, as they are in its memory."""
    end = "_l0" if isinstance(module, nn.RNNCellBase) else ""
    with at_rest(module), torch.inference_mode(False), torch.no_grad():
        yield {name: getattr(module, name.removesuffix(end)).detach() for name in layout_of(module).shapes()}


def ends_of(result: Any) -> list[Tensor]:
    """The output and the last states of a recurrent module; of a packed output its data."""
    if isinstance(result, PackedSequence):
        return [result.data]
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in ends_of(part)]
    return [result]


def last_of(call: WatchedCall) -> States:
    """The last states of a call that has ended."""
    return tuple(call.results if isinstance(call.module, nn.RNNCellBase) else call.results[1:])


def tensors_of(inputs: Any) -> list[Tensor]:
    """The tensors among the arguments of a call, in order."""
    tensors: list[Tensor] = []
    changed(inputs, lambda tensor: tensors.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return tensors


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """Within this context reading a weight that is computed from others changes nothing.

    A spectral norm in training takes one more step of its power iteration whenever it is read.
    """
    parametrizations = getattr(module, "parametrizations", None)
    parts = [] if parametrizations is None else list(parametrizations.modules())
    training = [part.training for part in parts]
    try:
        for part in parts:
            part.training = False
        yield
    finally:
        for part, was in zip(parts, training, strict=True):
            part.training = was
