"""What the layers of a run are called, where their numbers alone do not say which is which."""

from __future__ import annotations

from lstmtui.trace import Trace
from lstmtui.trace.description import described_layer, path_of
from lstmtui.trace.lengths import lengths_of


def layer_name(trace: Trace, layer: int) -> str:
    """The path of a layer in the recorded module: "decoder.rnn", or "decoder.rnn.l1" in a stack.

    Empty where all layers are one module's, whose order their numbers say.
    """
    return module_path(trace, layer) if len({named.path for named in trace.layers}) > 1 else ""


def module_path(trace: Trace, layer: int) -> str:
    """The path of a layer in the recorded module; empty for a layer of that module itself."""
    return path_of(trace.layers, layer)


def layer_list(trace: Trace) -> str:
    """Every layer with its name, sizes and timesteps, as Markdown."""
    heading = f"{trace.header.module.rpartition('.')[2] or trace.name}, as it was recorded:"
    lines = [heading, ""]
    for at in range(len(trace.layers)):
        timesteps = int(lengths_of(trace, at).max(initial=0))
        lines.append(f"- {described_layer(trace.layers, at, timesteps, '`')}")
    return "\n".join(lines)
