"""Which derivatives of an ONNX graph's recurrent nodes are all there is, and leaving out the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lstmtui.capture.stores.deferred_arrays import Entry
from lstmtui.models.onnx.graph_request import GraphAnswer
from lstmtui.printable import printable
from lstmtui.trace import Layer


def incomplete(answer: GraphAnswer, cut: Mapping[str, str]) -> dict[str, str]:
    """The nodes whose h goes on through the rest of the graph into another, or itself, with the reason.

    What is summed of their derivatives here would be a part of them.

    Args:
        answer: what the graph did.
        cut: the nodes that take what the graph makes of others, and what it is that they take.
    """
    reasons: dict[str, str] = {}
    for place, what in cut.items():
        sources = answer.fed_by if what == "what it reads" else answer.begins_from
        for source in sources.get(place, ()):
            reader = "it" if place == source else printable(place)
            taken = what.replace("it", reader, 1)
            reasons[source] = f"the graph makes {taken} of its h, and no gradient goes through that"
    while more := {
        source: f"it goes on into {printable(place)}, whose derivatives are not there"
        for place in reasons
        for source in (*answer.fed_by.get(place, ()), *answer.begins_from.get(place, ()))
        if source not in reasons
    }:
        reasons |= more
    return reasons


def without_derivatives(
    entries: Mapping[str, Entry], layers: tuple[Layer, ...], absent: Mapping[int, str]
) -> tuple[dict[str, Entry], tuple[Layer, ...]]:
    """Arrays and layers without the derivatives of some.

    Args:
        entries: the arrays by key.
        layers: of the trace.
        absent: by the position of a layer, why it has none.
    """
    left_out: set[str] = set()
    for position in absent:
        layer = layers[position]
        for direction in layer.directions:
            names = [*layer.quantities, *(f"initial/{state}" for state in layer.layout.cell.states)]
            own = (name.replace("initial/", "initial/d") if "/" in name else "d" + name for name in names)
            left_out |= {f"{position}/{direction}/{name}" for name in own}
        for parameters in layer.parameters.values():
            left_out |= {f"parameter_gradients/{name}" for name in parameters.values()}
    kept = {key: entry for key, entry in entries.items() if key not in left_out}
    return kept, tuple(replace(layer, absent=absent.get(n, layer.absent)) for n, layer in enumerate(layers))
