"""Everything that is used of PyTorch's internals, which have no public name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import is_fake
from torch.autograd.graph import GradientEdge
from torch.overrides import _pop_mode, _push_mode
from torch.utils import checkpoint
from torch.utils._python_dispatch import _disable_current_modes


def version_of(tensor: Tensor) -> int:
    """How often a tensor has been written into; 0 for inference tensors, which do not count."""
    try:
        return tensor._version
    except RuntimeError:
        return 0


def written(tensors: Mapping[str, tuple[Tensor, int]]) -> list[str]:
    """Which of some tensors were written into since that had happened to them so often."""
    try:
        return [name for name, (tensor, count) in tensors.items() if tensor._version != count]
    except RuntimeError:  # some were made in inference mode
        return [name for name, (tensor, count) in tensors.items() if version_of(tensor) != count]


def flat_weights(module: nn.RNNBase) -> dict[str, Tensor]:
    """The weights in use, by name; of computed ones (normalisations, parametrizations) each is computed.

    That is done as the module's own forward does it, which computes them twice: a spectral norm moves on.
    """
    module._update_flat_weights()
    return dict(zip(module._flat_weights_names, module._flat_weights, strict=True))  # type: ignore[arg-type]


def own_buffers(module: nn.Module) -> dict[str, Tensor | None]:
    """The buffers that a module itself has; what is put into the dict is a buffer of the module."""
    return module._buffers


def gradients(loss: Tensor, sources: Sequence[Tensor | GradientEdge]) -> Sequence[Tensor | None]:
    """The gradients that `torch.autograd.grad` gives, which asks each source several times what it is."""
    return torch.autograd.graph._engine_run_backward(
        (loss,), (torch.ones_like(loss),), False, False, tuple(sources), True, accumulate_grad=False
    )


def has_backward_hooks(module: nn.Module) -> bool:
    """Whether a module has hooks that a backward pass calls."""
    return bool(module._backward_hooks or module._backward_pre_hooks)


def post_accumulate_hooks(leaf: Tensor) -> dict[int, Any] | None:
    """The hooks that are called when a leaf got its gradient; None where none was ever registered."""
    hooks: dict[int, Any] | None = leaf._post_accumulate_grad_hooks
    return hooks


def saved(node: Any, name: str) -> Any:
    """What a node of the graph keeps of an argument of its operation."""
    return getattr(node, f"_saved_{name}")


def result_shape(node: Any, number: int) -> tuple[int, ...]:
    """The shape of one of the results of a node's operation."""
    return tuple(node._input_metadata[number].shape)


def current_node() -> Any:
    """The node whose backward is running in this thread."""
    return torch._C._current_autograd_node()


def backward_pass() -> int:
    """A number for the backward pass that is running in this thread; −1 where none is."""
    return int(torch._C._current_graph_task_id())


def is_in_backward() -> bool:
    """Whether autograd is running backward in this thread."""
    return backward_pass() != -1


def has_forward_mode() -> bool:
    """Whether forward-mode derivatives are on, which only the forward of an autograd Function turns off."""
    return bool(torch._C._is_fwd_grad_enabled())


def is_traced() -> bool:
    """Whether `torch.jit.trace` or a transform of `torch.func` is running."""
    tracing = torch._C._get_tracing_state() is not None
    return tracing or torch._C._functorch.peek_interpreter_stack() is not None


def is_captured() -> bool:
    """Whether a CUDA graph is being captured: nothing is computed then, and to wait for it is an error."""
    cuda = torch.cuda
    return cuda.is_initialized() and cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


@contextmanager
def without_cudnn() -> Iterator[None]:
    """Within this context cuDNN is not used; `torch.backends.cudnn.flags` would set its precision too."""
    library = torch.backends.cudnn
    before = library.enabled
    library.enabled = False
    try:
        yield
    finally:
        library.enabled = before


def has_saved_tensors_hooks() -> bool | None:
    """Whether a hook sees tensors that are saved for backward; None where this torch cannot tell."""
    top = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return None if top is None else top(False) is not None


below_autograd = torch._C._AutoDispatchBelowAutograd
"""A context in which operations on ordinary tensors know nothing of autograd."""

copy_each = torch._foreach_copy_
"""Copies the numbers of each of several tensors into another, in one call."""

has_function_modes = torch._C._len_torch_function_stack
"""How many modes of the user's take part in every function of torch's, and in every attribute of a tensor."""

without_functions = torch._C.DisableTorchFunction
"""A context in which these modes, and subclasses of Tensor, take no part."""

_dispatch_modes = torch._C._len_torch_dispatch_stack
_transforms = torch._C._functorch.peek_interpreter_stack


def is_dispatched() -> bool:
    """Whether a dispatch mode of the user's, or a transform of `torch.func`, takes part in operations."""
    return bool(_dispatch_modes() or _transforms() is not None)


PURE = frozenset(
    name
    for name in (*dir(torch._C._VariableFunctions), *dir(Tensor))
    if not name.startswith("_") and not name.endswith("_") and "norm" not in name
) - {"data", "backward", "real", "imag", "T", "mT", "H", "mH", "grad"}
"""Functions and methods of torch that write into none of their arguments, without `out=`."""


def has_values(tensor: Tensor) -> bool:
    """Whether a tensor is more than a shape and a dtype."""
    return not tensor.is_meta and not is_fake(tensor)


@contextmanager
def without_modes() -> Iterator[None]:
    """Within this context no mode of the user's sees, or changes, what is computed.

    A selective checkpoint would take our operations for the model's, and give back the one for the other.
    """
    if not (torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack()):
        yield
        return
    functions = [_pop_mode() for _ in range(torch._C._len_torch_function_stack())]  # type: ignore[no-untyped-call]
    try:
        with ExitStack() as stack:
            if torch._C._len_torch_dispatch_stack():
                stack.enter_context(_disable_current_modes())
            yield
    finally:
        for mode in reversed(functions):
            _push_mode(mode)  # type: ignore[no-untyped-call]


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Within this context what activation checkpoints hold is run once, with its graph, as if without them.

    A re-entrant checkpoint that is given nothing with a gradient makes no graph, so that none is made.
    """
    names = {
        "CheckpointFunction": _RunOnce,
        "_checkpoint_without_reentrant_generator": _nothing_around,
        "_checkpoint_without_reentrant_generator_impl": _nothing_around,
    }
    before = {name: getattr(checkpoint, name) for name in names if hasattr(checkpoint, name)}
    try:
        for name in before:
            setattr(checkpoint, name, names[name])
        yield
    finally:
        for name, own in before.items():
            setattr(checkpoint, name, own)


def run_checkpoint_again(node: Any) -> tuple[list[Tensor], tuple[Any, ...]]:
    """What a re-entrant checkpoint holds, run again with a graph of its own.

    Returns:
        The tensors that it is given, out of the graph before it, and what it returns; empty for other nodes.
    """
    function = getattr(node, "run_function", None)
    if function is None or not hasattr(node, "tensor_indices"):
        return [], ()
    inputs = list(node.inputs)
    for place, tensor in zip(node.tensor_indices, node.saved_tensors, strict=True):
        inputs[place] = tensor
    detached = checkpoint.detach_variable(tuple(inputs))
    with torch.random.fork_rng(), torch.enable_grad():
        result = function(*detached)
    given = [detached[place] for place in node.tensor_indices]
    return given, result if isinstance(result, tuple) else (result,)


class _RunOnce:
    """In place of the autograd Function of a re-entrant checkpoint."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        has_gradient = any(isinstance(part, Tensor) and part.requires_grad for part in args)
        with torch.set_grad_enabled(has_gradient and torch.is_grad_enabled()):
            return function(*args)


def _nothing_around(*args: Any, **kwargs: Any) -> Iterator[None]:
    """In place of what a checkpoint that is not re-entrant does before and after it runs."""
    yield


def take_function_mode_away(mode: Any) -> None:
    """End a function mode, wherever it is among the active modes of this thread."""
    others = []
    while torch._C._len_torch_function_stack():
        top = _pop_mode()  # type: ignore[no-untyped-call]
        if top is mode:
            break
        others.append(top)
    for other in reversed(others):
        _push_mode(other)  # type: ignore[no-untyped-call]


def top_function_mode() -> Any:
    """The function mode of this thread that was entered last; None where there is none."""
    depth = torch._C._len_torch_function_stack()
    return torch._C._get_function_stack_at(depth - 1) if depth else None


def pop_function_mode() -> None:
    """End, for now, the function mode of this thread that was entered last."""
    _pop_mode()  # type: ignore[no-untyped-call]


def push_function_mode(mode: Any) -> None:
    """Begin a function mode again that was popped."""
    _push_mode(mode)  # type: ignore[no-untyped-call]


def has_bfloat16_products() -> bool:
    """Whether oneDNN multiplies bfloat16 on this CPU."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def is_compiler_loaded() -> bool:
    """Whether anything may have been compiled; importing the compiler to see takes seconds."""
    return "torch._dynamo" in sys.modules


def has_compiled() -> bool:
    """Whether torch.compile has compiled anything."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and any(dynamo.counters.values())


def compiled_module(module: nn.Module) -> nn.Module | None:
    """The module that torch.compile made this one from; None for any other."""
    # By its name, for the same reason.
    return module._modules.get("_orig_mod") if type(module).__name__ == "OptimizedModule" else None


def sigmoid_backward() -> Callable[[Tensor, Tensor], Tensor]:
    """(∂L/∂σ(a), σ(a)) -> ∂L/∂a, as one operation."""
    operation: Callable[[Tensor, Tensor], Tensor] = torch.ops.aten.sigmoid_backward
    return operation


def tanh_backward() -> Callable[[Tensor, Tensor], Tensor]:
    """(∂L/∂tanh(a), tanh(a)) -> ∂L/∂a, as one operation."""
    operation: Callable[[Tensor, Tensor], Tensor] = torch.ops.aten.tanh_backward
    return operation
