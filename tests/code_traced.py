"""The user's code run under the tracer, for tests of what it binds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.tracing.tracer import SourceTracer


def traced(
    work: Callable[..., Any], *arguments: Any, root: nn.Module | None = None, source: Any = True
) -> SourceTracer:
    """A run of `work` and, where it returns a tensor with a graph, a backward pass from the sum of that."""
    with SourceTracer(root, source) as tracer:
        result = work(*arguments)
    if isinstance(result, Tensor) and result.requires_grad:
        result.sum().backward()
    tracer.release()
    assert tracer.failure is None
    return tracer


def named(tracer: SourceTracer, name: str) -> list[Binding]:
    """The bindings of a name, in order."""
    return [binding for binding in tracer.bindings if binding.name == name]
