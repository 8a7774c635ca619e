"""The calls of recurrent modules, seen while a model runs as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.utils.hooks import RemovableHandle

from lstmtui.capture.blocks.called_modules import met
from lstmtui.capture.modules.arguments import fit, named_arguments, states_of
from lstmtui.capture.modules.interception import kind_of
from lstmtui.models.stock import layout_of
from lstmtui.models.unroll import States


@dataclass(frozen=True)
class SeenCall:
    """One call of a recurrent module."""

    module: nn.Module
    name: str
    """The path of the module in the model, or its type."""
    x: Tensor
    """(T, B, input)."""
    before: States | None
    """The states it was given, each (layers·directions, B, units); None: it was given none."""
    after: States
    """The states it returned, likewise."""
    is_batched: bool
    is_cell: bool

    @property
    def steps(self) -> int:
        """The number of timesteps that it read."""
        return len(self.x)

    @property
    def batch(self) -> int:
        """The number of sequences."""
        return self.x.shape[1]


@contextmanager
def seen_calls(model: Any) -> Iterator[list[SeenCall]]:
    """Within this context every call of a recurrent module in this process is put on the list."""
    names = {id(m): path for path, m in model.named_modules()} if isinstance(model, nn.Module) else {}
    calls: list[SeenCall] = []

    def see(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        call = _seen(module, names.get(id(module), "") or type(module).__name__, args, kwargs, result)
        if call is not None:
            calls.append(call)

    def meet(module: nn.Module) -> None:
        has_sizes = not isinstance(module, nn.modules.lazy.LazyModuleMixin)
        if has_sizes and kind_of(module) is not None and module not in handles:
            handles[module] = module.register_forward_hook(see, with_kwargs=True)

    # Hooks of single modules: PyTorch does not forget all of one for every module when it is removed.
    handles: dict[nn.Module, RemovableHandle] = {}
    try:
        with met(meet):
            yield calls
    finally:
        for handle in handles.values():
            handle.remove()


def _seen(
    module: nn.Module, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> SeenCall | None:
    named = named_arguments(module, args, kwargs)
    if named is None or not fit(named):
        return None
    x, hx = named["x"], named.get("hx")
    is_cell = isinstance(module, nn.RNNCellBase)
    batch_first = bool(getattr(module, "batch_first", False))
    if isinstance(x, PackedSequence):
        x, batch_first = pad_packed_sequence(x)[0], False
    is_batched = x.dim() == (2 if is_cell else 3)
    if not is_batched:
        x = x.unsqueeze(0 if is_cell else 1)
    if is_cell:
        x = x.unsqueeze(0)
    elif batch_first and is_batched:
        x = x.transpose(0, 1)
    after = result if is_cell else result[1] if isinstance(result, tuple) and len(result) == 2 else None
    if after is None:
        return None
    count = layout_of(module).num_layers * len(layout_of(module).directions)
    shape = (count, x.shape[1])
    before = None if hx is None else _laid_out(hx, shape)
    return SeenCall(module, name, x, before, _laid_out(after, shape), is_batched, is_cell)


def _laid_out(states: Any, shape: tuple[int, int]) -> States:
    return tuple(state.reshape(*shape, -1) for state in states_of(states))
