"""What a trace is, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.cells.notation import plain
from lstmtui.printable import printable
from lstmtui.trace.header import Header, Layer
from lstmtui.wording import counted, first_of

_LAYERS = 12
"""So many are described."""


def description(header: Header, timesteps: Sequence[int]) -> str:
    """The model, its sizes, its layers, the loss and the derivatives; at the end what to do with it.

    Args:
        header: of the trace.
        timesteps: of each layer.
    """
    of = f" ({printable(header.module)})" if header.module else ""
    sizes = f"T={header.steps:,}, B={header.batch:,}, {header.numbers}, {printable(header.device)}"
    lines = [f"Trace of {printable(header.name)}{of}: {sizes}"]
    if header.what_ifs:
        lines.append(f"  what if: {printable('; '.join(header.what_ifs))}")
    count = len(header.layers)
    lines += [f"  {described_layer(header.layers, at, timesteps[at])}" for at in range(min(count, _LAYERS))]
    if count > _LAYERS:
        lines.append(f"  and {counted(count - _LAYERS, 'layer')} more")
    lines += [f"  {_loss(header)}", f"  {_derivatives(header)}"]
    if header.raised is not None:
        lines.append("  the model's code raised an exception, and the run ends there")
    lines.append("  lstmtui.diagnose(trace) says what is wrong; lstmtui.debug(trace) opens it")
    return "\n".join(lines)


def line(header: Header) -> str:
    """ "LSTM: lstm 8 → 8; T=40, B=1, loss 0.25"."""
    shown = first_of([f"{printable(layer.cell)} {layer.sizes_text}" for layer in header.layers], 4)
    loss = plain(header.loss) if header.loss_is_known else "unknown"
    return f"{printable(header.name)}: {shown}; T={header.steps}, B={header.batch}, loss {loss}"


def described_layer(layers: Sequence[Layer], at: int, timesteps: int, mark: str = "") -> str:
    """ "layer 1 encoder.l1: lstm 8 → 8, both directions, 40 timesteps, from 4 calls".

    Args:
        layers: of the run.
        at: which of them.
        timesteps: of the layer.
        mark: what stands before and after the path.
    """
    layer, path = layers[at], printable(path_of(layers, at))
    projected = f", projected to {layer.proj_size}" if layer.proj_size else ""
    both = ", both directions" if layer.bidirectional else ""
    calls = f", from {layer.calls:,} calls" if layer.calls > 1 else ""
    return (
        f"layer {at}{f' {mark}{path}{mark}' if path else ''}: {printable(layer.cell)} {layer.sizes_text}"
        f"{projected}{both}, {counted(timesteps, 'timestep')}{calls}"
    )


def path_of(layers: Sequence[Layer], at: int) -> str:
    """Where a layer sits: "decoder.rnn", in a stack "decoder.rnn.l1"; empty for the recorded module."""
    named = layers[at]
    is_stack = sum(other.path == named.path for other in layers) > 1
    return f"{named.path}.l{named.index}" if named.path and is_stack else named.path


def _loss(header: Header) -> str:
    value = f"loss {plain(header.loss)}" if header.loss_is_known else "loss unknown"
    # A loss of the user's own has no words.
    what = printable(header.loss_text) or ("a function of your own" if header.loss_is_known else "")
    return f"{value}: {what}" if what else value


def _derivatives(header: Header) -> str:
    if header.absent:
        return f"no derivatives: {printable(header.absent)}"
    absent = {at: layer.absent for at, layer in enumerate(header.layers) if layer.absent}
    if not absent:
        return "derivatives: of every quantity of every layer"
    if len(absent) == len(header.layers) and len({*absent.values()}) == 1:
        return f"no derivatives: {printable(absent[0])}"
    shown = "; ".join(f"layer {at}: {printable(why)}" for at, why in list(absent.items())[:3])
    return f"derivatives: of {len(header.layers) - len(absent)} of {len(header.layers)} layers ({shown})"
