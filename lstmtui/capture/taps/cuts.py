"""Where a model takes values out of the graph: no gradient comes back there, which does not make it 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lstmtui.capture.autograd_state import graph, is_checkpointed, is_in_checkpoint
from lstmtui.capture.loss.followed_input import FollowedInput
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.origins.drawn_tensors import DrawnTensors
from lstmtui.capture.recording import Repeatable

_OUT_OF_THE_GRAPH = frozenset(
    {
        Tensor.detach,
        Tensor.detach_,
        Tensor.data.__get__,  # type: ignore[attr-defined]
        Tensor.numpy,
        Tensor.item,
        Tensor.tolist,
    }
)


class Cuts(TorchFunctionMode):
    """Notes, while it is entered, which layers have results that the model used outside of the graph."""

    def __init__(self) -> None:
        super().__init__()
        self._nodes: set[Any] = set()
        self._parts: set[int] = set()
        self.drawn = DrawnTensors()
        """What is drawn at random meanwhile."""
        self.is_checkpointed = self.is_run_again = self.is_hooked = False
        """Whether what autograd saves went through hooks, whether a re-entrant checkpoint makes the graph of
        what it holds on the way back, and whether a hook was put on a gradient."""
        self.input = FollowedInput()
        """What becomes of the input meanwhile."""

    def has(self, part: Repeatable) -> bool:
        """Whether a value that depends on this part has been taken out of the graph."""
        return id(part) in self._parts

    def forget_graph(self) -> None:
        """Release the graph, so that nothing of it outlives the backward pass."""
        self._nodes = set()
        self.input.forget()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation of the user's code unchanged."""
        kwargs = kwargs or {}
        has_graph = torch.is_grad_enabled()
        if func in _OUT_OF_THE_GRAPH or not has_graph:
            self.add((args, kwargs))
        if not (has_graph or self.is_run_again):
            self.is_run_again = graph() == "in a function" and is_in_checkpoint()
        self.is_checkpointed = self.is_checkpointed or self.is_run_again or is_checkpointed()
        self.is_hooked = self.is_hooked or func is Tensor.register_hook
        result = self.input.call(func, args, kwargs)
        self.drawn.note(func, (args, kwargs), result)
        return result

    def add(self, values: Any) -> None:
        """Note every recorded part that these values depend on."""
        tensors = (part for part in tensors_in(values) if isinstance(part, Tensor))
        waiting: list[Any] = [tensor.grad_fn for tensor in tensors if tensor.requires_grad]
        while waiting:
            node = waiting.pop()
            if node is None or node in self._nodes:
                continue
            self._nodes.add(node)
            part = getattr(node, "recorded_in", None)
            if part is not None:
                self._parts.add(id(part))
            waiting += [source for source, _ in node.next_functions]
