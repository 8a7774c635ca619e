"""What the layers of a run are called, where their numbers alone do not say which is which."""

from __future__ import annotations

from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


def layer_name(trace: Trace, layer: int) -> str:
    """Where the layer sits in the recorded module: "decoder.rnn", or "decoder.rnn.l1" in a stack.

    Empty where all layers are one module's, whose order their numbers say.
    """
    return module_path(trace, layer) if len({named.path for named in trace.layers}) > 1 else ""


def module_path(trace: Trace, layer: int) -> str:
    """The same for every layer but those of the recorded module itself, for which it is empty."""
    named = trace.layers[layer]
    is_stack = sum(other.path == named.path for other in trace.layers) > 1
    return f"{named.path}.l{named.index}" if named.path and is_stack else named.path


def layer_list(trace: Trace) -> str:
    """Every layer with its name, sizes and timesteps, as Markdown."""
    heading = f"{trace.header.module.rpartition('.')[2] or trace.name}, as it was recorded:"
    return "\n".join([heading, "", *(f"- {_described(trace, at)}" for at in range(len(trace.layers)))])


def _described(trace: Trace, at: int) -> str:
    layer, longest = trace.layers[at], int(lengths_of(trace, at).max(initial=0))
    path = layer_name(trace, at) or layer.path
    projected = f", projected to {layer.proj_size}" if layer.proj_size else ""
    both = ", both directions" if layer.bidirectional else ""
    calls = f", from {layer.calls:,} calls" if layer.calls > 1 else ""
    return (
        f"layer {at}{f' `{path}`' if path else ''}: {layer.cell} {layer.sizes_text}"
        f"{projected}{both}, {longest:,} timestep{'' if longest == 1 else 's'}{calls}"
    )
