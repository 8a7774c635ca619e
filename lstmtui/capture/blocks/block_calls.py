"""What the recurrent modules do that are called in a block of somebody's code, whichever they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.blocks.called_modules import Places, met
from lstmtui.capture.devices import check_memory
from lstmtui.capture.equality import same
from lstmtui.capture.loss.backward_passes import heard
from lstmtui.capture.modules.arguments import states_of
from lstmtui.capture.modules.forward_handlers import handled
from lstmtui.capture.modules.wrapped import uncompiled
from lstmtui.capture.origins.continuity import Continuity, Kind, Link
from lstmtui.capture.origins.drawn_tensors import Drawing, DrawnTensors
from lstmtui.capture.origins.state_origins import Ended
from lstmtui.capture.steps.call_keeper import CallKeeper
from lstmtui.capture.steps.watched_calls import WatchedCall, WatchedStep, tensors_of, weights_now
from lstmtui.capture.taps.tapped_calls import call_of, numbers_of
from lstmtui.errors import UserError
from lstmtui.models.stock import layout_of
from lstmtui.models.torch_compat import take_function_mode_away


class BlockStep(WatchedStep):
    """All calls of a block, and which of them continue others."""

    def __init__(self) -> None:
        super().__init__(0, threading.get_ident(), drawn=DrawnTensors())
        self._continuity = Continuity()
        self._paths: dict[int, str] = {}
        """Of the module of each chain, by the id of the chain."""
        self._numbers = 0
        """How many the trace of the calls so far will hold, and copies of parameters."""
        self._is_full: UserError | None = None

    def is_older(self, node: Any) -> bool:
        """What was made before the block may well belong to it; of its own calls `_continuity` knows."""
        return False

    def add(self, call: WatchedCall, inputs: tuple[Any, ...]) -> None:
        """Add a call that has begun.

        Raises:
            UserError: the trace would not fit into memory with this call, or with one before it.
        """
        if self._is_full is not None:
            raise self._is_full
        call.link = self._link_of(call, inputs)
        chain = call.link.chain
        if chain.calls == 1:
            self._paths[id(chain)] = call.path
            states = states_of(inputs[1])
            ended = [
                Ended(self._paths[id(other)], layout_of(other.module), other.left, other.number)
                for other in self._continuity.ended_before(chain)
            ]
            behind = self._continuity.calls_behind(states)
            call.origins = self._state_origins.beginnings(layout_of(call.module), states, ended, behind)
        super().add(call, inputs)

    def ended(self, call: WatchedCall, result: Any, trouble: Callable[[Exception], None]) -> None:
        """Keep what a module returned, now that its call has ended."""
        assert call.link is not None
        super().ended(call, result, trouble)
        self._continuity.ended(call.link.chain, result)
        call.number = call.link.chain.number

    def weights_of(self, module: nn.Module) -> dict[str, Tensor]:
        """Copies of a module's parameters: those of an earlier call where nothing has changed since."""
        latest = self.weights.get(id(module))
        with weights_now(module) as now:
            if latest is None or not all(same(now[name], latest[name]) for name in now):
                latest = self.weights[id(module)] = {name: weight.clone() for name, weight in now.items()}
                self._numbers += sum(weight.numel() for weight in latest.values())
        return latest

    def _link_of(self, call: WatchedCall, inputs: tuple[Any, ...]) -> Link:
        x, hx, lengths = inputs
        kind: Kind = "cell"
        steps, layout = 1, layout_of(call.module)
        if isinstance(call.module, nn.RNNCellBase):
            batch, goes_on = 1 if x.dim() == 1 else len(x), True
        else:
            with torch.no_grad():
                laid_out, _ = call_of(call.module, x, hx, lengths)
            steps, batch = laid_out.x.shape[:2]
            kind = "step" if steps == 1 else "sequence"
            goes_on = laid_out.valid is None and not layout.bidirectional
        self._count(numbers_of(layout) * steps * batch, tensors_of(inputs)[0].dtype)
        chain = self._continuity.chain_of(call.module, hx, batch, call.graph, kind, goes_on=goes_on)
        return Link(chain, chain.calls, chain.is_changed, chain.changes)

    def _count(self, numbers: int, dtype: torch.dtype) -> None:
        try:
            check_memory(self._numbers + numbers, dtype)
        except UserError as error:
            self._is_full = error
            raise
        self._numbers += numbers


class BlockCalls(CallKeeper):
    """Handles the calls of all recurrent modules, in any thread, from `begin` to `end`.

    Args:
        trouble: called with what went wrong.
        on_first: called before the first of them is.
    """

    def __init__(self, trouble: Callable[[Exception], None], on_first: Callable[[], None]) -> None:
        super().__init__(trouble)
        self.step, self._on_first = BlockStep(), on_first
        self.places = Places()
        assert self.step.drawn is not None
        self._drawing = Drawing(self.step.drawn)
        self._handlers, self._lock = ExitStack(), threading.RLock()
        self._met: dict[int, nn.Module] = {}

    @property
    def steps(self) -> list[WatchedStep]:
        """The one step that all calls are in."""
        return [self.step]

    def step_of_call(self) -> WatchedStep:
        """The one step that all calls are in."""
        return self.step

    def begin(self) -> None:
        """Take over the calls of whatever recurrent module is called from now on."""
        self._drawing.__enter__()  # type: ignore[no-untyped-call]
        self._handlers.enter_context(uncompiled())
        self._handlers.enter_context(heard(self.step.losses.hear))
        self._handlers.enter_context(met(self._meet))

    def end(self) -> None:
        """Leave all modules as they were."""
        take_function_mode_away(self._drawing)
        with self._lock:
            self._handlers.close()

    def forget(self) -> None:
        """Release everything that was kept."""
        self.step, self._met = BlockStep(), {}

    def _meet(self, module: nn.Module) -> None:
        if id(module) not in self._met and not self.is_passed_over():
            self.attempt(self._take_over, module)

    def _take_over(self, module: nn.Module) -> None:
        with self._lock:
            if id(module) in self._met or getattr(module, "_is_replica", False):
                return
            if not self._met:
                self._on_first()
            try:
                handler = partial(self.layer_called, self.places.add(module))
                self._handlers.enter_context(handled(module, handler))
            finally:
                # Not before, as another thread that calls it would not wait for that. Kept, so is its id.
                self._met[id(module)] = module
