"""The model under test: a copy, in float64 if that runs, called as its user calls it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstmtui.capture.laws.default_device import users_default
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.signature import Signature, is_sequence_module, reset_of, signature_of
from lstmtui.capture.modules.arguments import changed, tensors_in
from lstmtui.capture.modules.plain_attributes import plain_attributes
from lstmtui.capture.modules.preserve_state import preserve_state
from lstmtui.capture.modules.wrapped import uncompiled, unwrapped
from lstmtui.models.seeding import seed_all_devices
from lstmtui.models.torch_compat import without_cudnn

Run = Callable[[Any, Any, Any], Any]


@dataclass
class Result:
    """The result of one call."""

    tensors: list[Tensor]
    """Every tensor of floating-point numbers, first those of y, then those of the state; padded."""
    state: Any = None
    """As the next call takes it; None where the model gives none."""
    of_y: int = 0
    """How many of the tensors are of y."""


@dataclass
class Subject:
    """A model and how it is called.

    Args:
        original: the user's model, or a function of x.
        run: called with (model, x, state) in place of the model; returns y, or (y, state).
        reset: called with the model before each fresh start.
        packs: whether the model is called with packed sequences.
    """

    original: Any
    run: Run | None = None
    reset: Callable[[Any], Any] | None = None
    packs: bool = False
    tick: Callable[[], None] = lambda: None
    """Called before each run; raising `lstmtui.Cancelled` there stops it."""
    model: Any = None
    dtype: torch.dtype = torch.float64
    dropped: bool = False
    """Whether dropout was switched off."""
    lengths_device: torch.device | None = None
    """Where the model is given its lengths; None: on the CPU."""
    runs: int = 0
    seconds: float = 0.0
    """How long the last run took."""
    signature: Signature = field(default_factory=Signature)

    def __post_init__(self) -> None:
        self.original = unwrapped(self.original) if isinstance(self.original, nn.Module) else self.original
        self.signature = signature_of(self.original)
        if self.reset is None:
            self.reset = reset_of(self.original)

    @property
    def takes_state(self) -> bool:
        """Whether a state can be given to a call."""
        if self.run is not None:
            return True
        return is_sequence_module(self.model) or bool(self.signature.states)

    @property
    def tolerance(self) -> float:
        """How far numbers that should be equal may differ, relative to the largest of them or 1."""
        return 1e-9 if self.dtype == torch.float64 else 1e-4

    def use(self, dtype: torch.dtype | None) -> None:
        """Make the copy that is run; None: in the dtype the model has."""
        self.model, self.dropped = self.original, False
        if isinstance(self.original, nn.Module):
            self.model = _copied(self.original)
            if self.model is not self.original:
                self.dropped = _switch_off_dropout(self.model)
                self.model.to(dtype)
        own = next((p.dtype for p in _parameters(self.model) if p.is_floating_point()), None)
        self.dtype = dtype or own or torch.get_default_dtype()

    @contextmanager
    def fresh(self, seed: int = 0) -> Iterator[None]:
        """Calls within this context go on from each other; they begin afresh, and leave nothing behind."""
        model, default = self.model, torch.get_default_dtype()
        is_used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        devices = range(torch.cuda.device_count()) if is_used else ()
        with torch.random.fork_rng(devices), uncompiled(), without_cudnn():
            seed_all_devices(seed)
            torch.set_default_dtype(self.dtype)
            try:
                if not isinstance(model, nn.Module):
                    self._begin()
                    yield
                    return
                with preserve_state(model):
                    _own_tensors(model, self.dtype)
                    self._begin()
                    yield
            finally:
                torch.set_default_dtype(default)

    def call(self, inputs: Inputs, state: Any = None) -> Result:
        """One call, inside of `fresh`."""
        self.tick()
        self.runs += 1
        began = perf_counter()
        state = inputs.state if state is None else state
        with torch.inference_mode(False), torch.enable_grad(), users_default():
            result = self._called(inputs, state)
        self.seconds = perf_counter() - began
        return result

    def once(self, inputs: Inputs) -> Result:
        """One call from a fresh start."""
        with self.fresh():
            return self.call(inputs)

    def _begin(self) -> None:
        if self.reset is not None:
            self.reset(self.model)

    def _called(self, inputs: Inputs, state: Any) -> Result:
        x, lengths = inputs.x, inputs.lengths
        if self.packs and lengths is not None:
            x = changed_first(x, lambda t: _packed(t, lengths, inputs))
        if self.run is not None:
            result = self.run(self.model, x, state)
            return self._parsed(result, isinstance(result, tuple) and len(result) == 2)
        args, kwargs = self._arguments(x, state, lengths)
        return self._parsed(self.model(*args, **kwargs), self.takes_state)

    def _arguments(
        self, x: Any, state: Any, lengths: Tensor | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        signature = self.signature
        args: tuple[Any, ...] = x if type(x) is tuple else () if isinstance(x, dict) else (x,)
        kwargs = dict(x) if isinstance(x, dict) else {}
        if len(signature.states) > 1 and state is not None:
            kwargs |= dict(zip(signature.states, state, strict=True))
        elif signature.states and state is not None:
            kwargs[signature.states[0]] = state
        elif is_sequence_module(self.model) and state is not None:
            kwargs["hx"] = state
        if signature.lengths and lengths is not None:
            kwargs[signature.lengths] = (
                lengths if self.lengths_device is None else lengths.to(self.lengths_device)
            )
        names = [name for name in signature.names if name not in kwargs]
        if kwargs and len(args) <= len(names):
            return (), dict(zip(names, args, strict=False)) | kwargs
        return args, kwargs

    def _parsed(self, result: Any, has_state: bool) -> Result:
        y, state = result, None
        if has_state and isinstance(result, (tuple, list)) and len(result) > 1:
            y, state = result[0], result[1] if len(result) == 2 else tuple(result[1:])
        own = list(_floating(y))
        return Result([*own, *_floating(state)], state, len(own))


def _floating(result: Any) -> Iterator[Tensor]:
    for part in tensors_in(result):
        tensor = pad_packed_sequence(part)[0] if isinstance(part, PackedSequence) else part
        if tensor.is_floating_point():
            yield tensor


def changed_first(x: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same arguments with their first tensor changed."""
    if isinstance(x, tuple):
        return (changed_first(x[0], change), *x[1:])
    if isinstance(x, dict):
        name = next(iter(x))
        return {**x, name: changed_first(x[name], change)}
    return change(x)


def _packed(tensor: Tensor, lengths: Tensor, inputs: Inputs) -> PackedSequence:
    return pack_padded_sequence(
        tensor, lengths.cpu(), batch_first=inputs.leaves[0].batch == 0, enforce_sorted=False
    )


def _parameters(model: Any) -> Iterator[Tensor]:
    if isinstance(model, nn.Module):
        yield from model.parameters()


def _copied(model: nn.Module) -> nn.Module:
    """A copy, or the model itself where it cannot be copied."""
    with preserve_state(model):
        _own_tensors(model, None)
        try:
            return copy.deepcopy(model)
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            pass
    return model


def _own_tensors(model: nn.Module, dtype: torch.dtype | None) -> None:
    """Give plain attributes tensors of their own, so that writing into these has no effect on the original.

    They are taken out of the graph of earlier calls, but those that are trained.
    """

    def own(tensor: Tensor) -> Tensor:
        if isinstance(tensor, nn.Parameter) or (tensor.is_leaf and tensor.requires_grad):
            return tensor
        copied = tensor.detach().clone()
        return copied.to(dtype) if dtype is not None and copied.is_floating_point() else copied

    for module in model.modules():
        for name, value in plain_attributes(module):
            if isinstance(value, (Tensor, tuple)) or type(value) in (list, dict):
                vars(module)[name] = changed(value, own)


def _switch_off_dropout(model: nn.Module) -> bool:
    """Whether there was any that would have dropped something."""
    dropped = False
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            dropped |= module.training and module.p > 0
            module.p = 0.0
        elif isinstance(p := getattr(module, "dropout", None), float):
            dropped |= module.training and p > 0
            module.dropout = 0.0  # type: ignore[assignment]
    return dropped
