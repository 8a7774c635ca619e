"""Taps: they record each recurrent module inside a module while it runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.autograd_state import graph, is_symbolic
from lstmtui.capture.modules.arguments import fit, named_arguments, numbers_in
from lstmtui.capture.modules.forward_handlers import handled
from lstmtui.capture.modules.interception import check_forward, is_plain, kind_of
from lstmtui.capture.modules.preserve_state import preserve_state
from lstmtui.capture.modules.wrapped import named_modules, see_through, uncompiled
from lstmtui.capture.origins.state_origins import StateOrigins
from lstmtui.capture.progress import Progress
from lstmtui.capture.taps.recording_lock import recording_lock
from lstmtui.capture.taps.tapped_calls import call_of
from lstmtui.capture.taps.tapped_runs import TappedRuns
from lstmtui.models.torch_compat import without_modes
from lstmtui.trace.writing import TraceWriter
from lstmtui.wording import listed

_CALL = getattr(nn.Module.__call__, "__code__", None)
"""What `module(…)` runs."""


class Tap(TappedRuns):
    """The recurrent modules of a module, recorded where they are called.

    Args:
        progress: counts the timesteps.
        lengths: of x; for the modules that are called with as many sequences of at least that length.
        writer: what gets the arrays while they are made; None: they are kept in memory.
    """

    def __init__(
        self, progress: Progress, lengths: Tensor | None = None, writer: TraceWriter | None = None
    ) -> None:
        super().__init__(progress, writer)
        self.lengths = lengths
        self.lengths_fit = False
        """Whether a module was called with such sequences."""
        self._own_forwards: dict[int, str] = {}
        """Of the modules whose own forward was called, and has not called PyTorch's: what they are, by id."""
        self._thread = threading.get_ident()
        self._others: set[int | None] = set()
        """Other threads, which were there before."""
        self._root: nn.Module | None = None

    @contextmanager
    def installed(self, root: nn.Module, arguments: Any = ()) -> Iterator[None]:
        """Within this context every recurrent module under `root` is recorded when called.

        Args:
            root: the model.
            arguments: what it is called with.

        Raises:
            TypeError: one of them cannot be.
        """
        modules = list(named_modules(root))
        for path, module in modules:
            check_forward(path, module)
        with recording_lock(root), preserve_state(root), uncompiled(), ExitStack() as handlers:
            for path, module in modules:
                if kind_of(module) is None:
                    continue
                vars(module).pop("forward", None)  # as compiled by `m.forward = torch.compile(m.forward)`
                # Cells inside a model are called by its own loop; only a cell on its own is run over time.
                in_loop = isinstance(module, nn.RNNCellBase) and module is not root
                handlers.enter_context(handled(module, partial(self._called, path, in_loop)))
                if not is_plain(module):
                    whole = partial(self._own_forward_called, path)
                    handlers.enter_context(handled(module, whole, whole=True))
            see_through(root)
            self._root = root
            self._others = {thread.ident for thread in threading.enumerate()} - {self._thread}
            self.cuts.input.begin(arguments, follow=not is_plain(root))
            self.state_origins = StateOrigins(root, self.cuts.drawn, arguments, of_input=self.cuts.input.has)
            yield

    @property
    def without_super(self) -> str:
        """The subclasses whose own forward was called and computed everything, in words; empty for none."""
        return listed(list(self._own_forwards.values()))

    def _own_forward_called(
        self, path: str, module: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Called in place of a subclass's own forward: note it until it calls `super().forward`."""
        kind = kind_of(module)
        if kind is not None and self._takes_part() and not self.repeats:
            name, base = module.__class__.__name__, kind.__name__
            where = f"{path}: {name}" if path else name
            self._own_forwards[id(module)] = (
                f"{where}, a subclass of {base}, whose forward never calls super().forward"
            )
        return forward(*args, **kwargs)

    def _called(
        self,
        path: str,
        in_loop: bool,
        module: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Called in place of a module's forward: record the call, or let the forward run as it is."""
        named = named_arguments(module, args, kwargs) if self._takes_part() else None
        if named is None:
            return forward(*args, **kwargs)
        if path and not (fit(named) and numbers_in(named["x"])):
            return forward(*args, **kwargs)  # which says what is wrong with them, or returns as little
        if not self.repeats:
            named["x"] = self.cuts.input.twin(named["x"])
        with without_modes():
            if graph() != "built":
                self.cuts.add((args, kwargs))
            return self._recorded(path, in_loop, module, forward, named)

    def _recorded(
        self,
        path: str,
        in_loop: bool,
        module: nn.Module,
        forward: Callable[..., Any],
        named: Mapping[str, Any],
    ) -> Any:
        x, hx, lengths = named["x"], named.get("hx"), named.get("lengths")
        self._own_forwards.pop(id(module), None)
        if in_loop:
            return self.cell(path, module, forward, x, hx)
        if lengths is None and not isinstance(x, PackedSequence):
            lengths = self._lengths_for(path, module, x)
        try:
            call, packed = call_of(module, x, hx, lengths)
        except (ValueError, TypeError) as error:
            unfit = error
        else:
            return self.sequence(path, module, call, packed, hx)
        if path:
            # The model's code is to meet the exception that it meets without us, and may catch it.
            forward(x, hx) if named.get("lengths") is None else forward(x, hx, named["lengths"])
        raise unfit

    def _takes_part(self) -> bool:
        """Whether a call in this thread, now, belongs to the recording."""
        thread = threading.get_ident()
        # Another thread that calls all of the module uses it for something of its own.
        if is_symbolic() or (thread != self._thread and _is_within_call_of(self._root)):
            return False
        if self.is_in_backward:
            return True
        # Threads that have come since may be those that the module's forward has started.
        return thread not in self._others and self.during != "loss"

    def _lengths_for(self, path: str, module: nn.Module, x: Any) -> Tensor | None:
        """The lengths given to `record`, where they can be those of x of this module."""
        fits = self.lengths is not None
        if self.lengths is not None and path and isinstance(x, Tensor) and x.dim() == 3:
            steps, batch = x.shape[:2][:: -1 if getattr(module, "batch_first", False) else 1]
            fits = self.lengths.shape == (batch,) and int(self.lengths.max()) <= steps
        self.lengths_fit |= fits
        return self.lengths if fits else None


def _is_within_call_of(module: nn.Module | None) -> bool:
    """Whether this thread is inside a call of a module."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is _CALL and frame.f_locals.get("self") is module:
            return True
    return False
