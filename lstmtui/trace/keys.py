"""The keys of the arrays of a trace."""

from __future__ import annotations

NORMS = "norms/"
"""Begins the key of the norms of an array, (T, B)."""
EXTENT = "extent/"
"""Begins the key of the extent of an array."""


def order_key(layer: int) -> str:
    """The key of when a layer's timesteps were computed: "0/order"; see `lstmtui.trace.order`."""
    return f"{layer}/order"


def array_key(quantity: str, layer: int, direction: str) -> str:
    """The key of a layer's array in `Trace.arrays`: "0/forward/f"."""
    return f"{layer}/{direction}/{quantity}"
