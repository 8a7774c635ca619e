"""The functions of the cells, for tensors and for formula terms alike.

Each calls methods of its argument that a ``torch.Tensor`` has too, so an equation written with them runs on
tensors (numbers), on a :class:`lstmtui.cells.terms.Term` (the formula on screen), or on any other type that
has these methods. Nothing here imports torch.
"""

from __future__ import annotations

from typing import Any

from lstmtui.cells.terms import Term


def σ(value: Any) -> Any:
    """The logistic function 1 / (1 + exp(−value)), into (0, 1)."""
    return value.sigmoid()


sigmoid = σ


def tanh(value: Any) -> Any:
    """The hyperbolic tangent, into (−1, 1)."""
    return value.tanh()


def relu(value: Any) -> Any:
    """max(0, value)."""
    return value.relu()


def exp(value: Any) -> Any:
    """e to the power of value."""
    return value.exp()


def log(value: Any) -> Any:
    """The natural logarithm."""
    return value.log()


def sqrt(value: Any) -> Any:
    """The square root."""
    return value.sqrt()


def softplus(value: Any) -> Any:
    """log(1 + exp(value)), exact everywhere."""
    return value.softplus() if isinstance(value, Term) else value.logaddexp(value.new_zeros(()))


def logsigmoid(value: Any) -> Any:
    """log σ(value), exact everywhere."""
    return value.logsigmoid() if isinstance(value, Term) else -softplus(-value)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two values, unit by unit; one of them may be a number."""
    if isinstance(b, (int, float)):
        return a.clamp(min=b)
    return maximum(b, a) if isinstance(a, (int, float)) else a.maximum(b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two values, unit by unit; one of them may be a number."""
    if isinstance(b, (int, float)):
        return a.clamp(max=b)
    return minimum(b, a) if isinstance(a, (int, float)) else a.minimum(b)


def clamp(value: Any, low: float, high: float) -> Any:
    """The value, not below `low` and not above `high`."""
    return value.clamp(low, high)


def layer_norm(value: Any, epsilon: float = 1e-5) -> Any:
    """(value − mean) / √(variance + ε) over the units, as `torch.nn.LayerNorm` without weight and bias."""
    if isinstance(value, Term):
        return value.layer_norm()
    away = value - value.mean(-1, keepdim=True)
    return away * (away.square().mean(-1, keepdim=True) + epsilon).rsqrt()
