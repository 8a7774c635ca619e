"""The law `causality`: y at t does not depend on x after t."""

from __future__ import annotations

import numpy as np
import torch

from lstmtui.analysis.divergence import Divergence
from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.context import (
    Context,
    broken,
    by_design,
    gradient_not_finite,
    held,
    not_taken,
)
from lstmtui.capture.laws.first_place import first_place, layer_path, output_place, recorded_call
from lstmtui.capture.laws.influence import Dependence
from lstmtui.capture.loss.meant_ahead import MIXES, convolutions, mixing_norms
from lstmtui.trace import Trace
from lstmtui.wording import counted

MOST_CUTS = 16
"""How many timesteps are tried as the boundary between before and after; all where there are fewer."""


def causality(context: Context) -> LawResult:
    """Hold it at boundaries all over the sequence: y before one by x from it on."""
    inputs, shape = context.inputs, context.shape
    if inputs.steps < 2:
        return not_taken("there is only one timestep")
    numbers = [n for n, output in enumerate(shape.outputs) if output.time is not None]
    if not numbers:
        return not_taken(context.other_steps or "the output has no value for each timestep")
    cuts = np.unique(np.linspace(1, inputs.steps - 1, min(MOST_CUTS, inputs.steps - 1)).astype(int))
    dependence = Dependence(context.subject, shape, inputs, numbers)
    late = torch.arange(inputs.steps).unsqueeze(1).expand(-1, inputs.batch)
    for cut in (int(c) for c in cuts):
        influence = dependence.of(late < cut, late >= cut)
        if influence.is_there:
            ahead, reach = convolutions(context.subject.model)
            if ahead and not (cut > reach and dependence.of(late < cut - reach, late >= cut).is_there):
                return by_design(
                    f"{ahead} is padded on both sides, so y at t depends on x up to t + {reach}",
                    influence.largest,
                )
            if mixing := mixing_norms(context.subject.model):
                return by_design(f"{mixing} {MIXES}", influence.largest)
            cut = 1 if context.backward_layer else cut
            return _look_ahead(context, numbers, cut, influence.gradient, influence.largest)
    if not dependence.is_finite:
        return gradient_not_finite("a change of x changes nothing before it")
    where = (
        f"at {len(cuts)} of {inputs.steps - 1} boundaries" if len(cuts) < inputs.steps - 1 else "throughout"
    )
    by = "every gradient by later x is exactly 0, and " if dependence.has_gradient else ""
    steps = counted(inputs.steps, "timestep")
    return held(f"{steps}, {where}: {by}a change of x changes nothing before it")


def _look_ahead(context: Context, numbers: list[int], cut: int, gradient: float, largest: float) -> LawResult:
    """Causality does not hold: whether that is by design, else where a later x first changes something."""
    inputs, subject = context.inputs, context.subject
    late = torch.arange(inputs.steps).unsqueeze(1).expand(-1, inputs.batch) >= cut
    changed = inputs.different(late)
    runs = [recorded_call(subject, part) for part in (inputs, changed)]
    parting = first_place(subject, runs, within=np.full(inputs.batch, cut))
    backward = context.backward_layer
    if backward and parting is not None and parting[0].direction == "backward":
        return by_design(f"{backward} reads backward too, so y at t depends on x after t", largest)
    encoder = _encoder(runs[0], parting)
    if encoder:
        return by_design(f"{encoder} begins from a state that is made of all of x", largest)
    if backward and parting is None:
        return by_design(
            f"{backward} reads backward too, and what else looks ahead cannot be told from that", largest
        )
    outs = [context.shape.laid_out(subject.once(part), inputs) for part in (inputs, changed)]
    a, b = ([out[n].detach() for n in numbers] for out in outs)
    place = output_place([context.shape.outputs[n].name for n in numbers], a, b, ~late, 0.0)
    t = f"y at t={place.t}" if place is not None and place.t is not None else f"y before t={cut}"
    text = f"{t} depends on x from t={cut} on"
    if gradient > 0:
        text += f", with a gradient of up to {gradient:.3g}"
    if parting is None:
        return broken(text, largest, 0.0, place)
    first, apart = parting
    how = "; the layers do not look ahead, and what follows them does" if first.layer is None else ""
    if first.quantity == "x":
        how = "; what the layer reads looks ahead already"
    return broken(f"{text}{how}: {apart.a:.6g} becomes {apart.b:.6g}", largest, 0.0, first)


def _encoder(trace: Trace | None, parting: tuple[Place, Divergence] | None) -> str:
    """The layer that x gets into by the state it begins from, as a decoder does; empty where none does."""
    if trace is None or parting is None or parting[0].layer is None or parting[0].t != -1:
        return ""
    is_second = trace.layers[parting[0].layer].path != trace.layers[0].path
    return layer_path(trace, parting[0].layer) if is_second else ""
