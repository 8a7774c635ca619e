"""States that pass from one module to another, such as from an encoder to a decoder."""

from __future__ import annotations

import torch
from torch import nn

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.equality import equal
from lstmtui.capture.laws.calls import SeenCall
from lstmtui.capture.laws.context import broken
from lstmtui.models.stock import layout_of


def wrong_layer(calls: list[SeenCall]) -> LawResult | None:
    """What is broken where a layer begins from what another layer than its own has ended with.

    Layers are matched from the top: the last of an encoder belongs to the last of a decoder. States that were
    added, joined or projected on the way are no layer's any more, and nothing is said of them.
    """
    latest: dict[nn.Module, SeenCall] = {}
    for call in calls:
        # A module that was called before goes on from its own state.
        for earlier in reversed(latest.values()) if call.module not in latest else ():
            if earlier.batch == call.batch and call.before is not None:
                outcome = _matched(earlier, call)
                if outcome is not None:
                    return outcome
        latest.pop(call.module, None)
        latest[call.module] = call
    return None


def _matched(earlier: SeenCall, call: SeenCall) -> LawResult | None:
    assert call.before is not None
    begun, left = call.before[0], earlier.after[0]
    if begun.shape[1:] != left.shape[1:]:
        return None
    own, other = layout_of(call.module), layout_of(earlier.module)
    layers = [_source(begun[slot], left) for slot in range(len(begun))]
    if None in layers:
        return None
    both, theirs = len(own.directions), len(other.directions)
    for slot, source in enumerate(layers):
        assert source is not None
        layer, from_layer = slot // both, source // theirs
        wanted = layer + other.num_layers - own.num_layers
        if from_layer != wanted and 0 <= wanted < other.num_layers:
            direction = other.directions[source % theirs]
            return broken(
                f"{call.name} l{layer} begins from what {earlier.name} l{from_layer} {direction} ended with, "
                f"and {earlier.name} l{wanted} belongs to it",
                place=Place(-1, None, f"{call.name} l{layer}", own.directions[slot % both], "h"),
            )
    return None


def _source(state: torch.Tensor, left: torch.Tensor) -> int | None:
    """The place in a stack's last states that a state is taken from, to the bit."""
    if not state.any():
        return None
    return next((n for n in range(len(left)) if equal(left[n], state)), None)
