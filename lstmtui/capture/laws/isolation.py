"""The law `isolation`: the output for one sequence does not depend on another sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.batch_norms import norms_in_training
from lstmtui.capture.laws.context import (
    Context,
    broken,
    by_design,
    gradient_not_finite,
    held,
    not_taken,
)
from lstmtui.capture.laws.first_place import first_place, only_sequence, output_place, recorded_call
from lstmtui.capture.laws.influence import Dependence, Influence
from lstmtui.wording import counted


def isolation(context: Context) -> LawResult:
    """Hold it over every pair of sequences: any two differ in a bit of their numbers."""
    inputs, shape = context.inputs, context.shape
    if inputs.batch < 2:
        return not_taken("there is only one sequence")
    numbers = [n for n, output in enumerate(shape.outputs) if output.batch is not None]
    if not numbers:
        return not_taken("no output has a value for each sequence")
    dependence = Dependence(context.subject, shape, inputs, numbers)
    for chosen in _halves(inputs.batch):
        influence = dependence.of(_all_time(context, chosen), _all_time(context, ~chosen))
        if influence.is_there:
            return _leak(context, dependence, numbers, influence)
    if not dependence.is_finite:
        return gradient_not_finite("a change of one sequence changes no other")
    by = (
        "every gradient between sequences is exactly 0, and a change"
        if dependence.has_gradient
        else "a change"
    )
    return held(f"{counted(inputs.batch, 'sequence')}: {by} of one changes no other")


def _halves(batch: int) -> list[Tensor]:
    """Sets of sequences such that of any two, in either order, one set has the first and not the second."""
    index = torch.arange(batch)
    bits = [(index >> bit) & 1 == 1 for bit in range((batch - 1).bit_length())]
    return [half for bit in bits for half in (bit, ~bit)]


def _all_time(context: Context, sequences: Tensor) -> Tensor:
    return sequences.unsqueeze(0).expand(context.inputs.steps, -1)


def _leak(context: Context, dependence: Dependence, numbers: list[int], influence: Influence) -> LawResult:
    """Which sequence leaks into which, and where that begins."""
    inputs, subject = context.inputs, context.subject
    norms = norms_in_training(context.subject.model)
    if norms and _holds_without(context, norms, numbers):
        return by_design(
            f"{norms[0][0]} is a {type(norms[0][1]).__name__} in training mode: its mean and variance are of "
            "all sequences together",
            influence.largest,
        )
    source, target = _pair(context, dependence)
    where = torch.zeros(inputs.steps, inputs.batch, dtype=torch.bool)
    where[:, source] = True
    changed = inputs.different(where)
    runs = [recorded_call(subject, part) for part in (inputs, changed)]
    parting = first_place(subject, runs, within=only_sequence(inputs.batch, target, inputs.steps))
    text = f"sequence {target} depends on sequence {source}"
    if influence.gradient > 0:
        text += f", with a gradient of up to {influence.gradient:.3g}"
    if parting is not None:
        place, apart = parting
        return broken(
            f"{text}; {_how(place)}: {apart.a:.6g} becomes {apart.b:.6g}", influence.largest, 0.0, place
        )
    turned = _turned(context)
    if turned:
        text += (
            f"; {turned} takes timesteps for sequences: it is called with (B, T, …) and is not batch_first"
        )
    elif all(run is not None and run.batch == inputs.batch for run in runs):
        text += "; the recurrent layers keep them apart, and what follows them does not"
    outs = [context.shape.laid_out(subject.once(part), inputs) for part in (inputs, changed)]
    names = [context.shape.outputs[n].name for n in numbers]
    a, b = ([out[n].detach() for n in numbers] for out in outs)
    of = torch.zeros_like(where)
    of[:, target] = True
    return broken(text, influence.largest, 0.0, output_place(names, a, b, of, 0.0))


def _turned(context: Context) -> str:
    """The layer that takes one axis for the other; empty where the first one does not."""
    steps, batch = context.inputs.steps, context.inputs.batch
    first = context.calls[0] if context.calls else None
    is_turned = first is not None and steps != batch and (first.steps, first.batch) == (batch, steps)
    return first.name if first is not None and is_turned else ""


def _how(place: Place) -> str:
    if place.layer is None:
        return "the layers keep them apart, and what follows them does not"
    if place.quantity == "x":
        return "what the layer reads is mixed already"
    return "they meet inside of the layer" if place.t is not None and place.t >= 0 else "the state is mixed"


def _pair(context: Context, dependence: Dependence) -> tuple[int, int]:
    """(source, target) of a leak: the first sequence that another one depends on, and the first such one."""
    batch = context.inputs.batch
    for source in range(batch):
        only = torch.arange(batch) == source
        if not dependence.of(_all_time(context, ~only), _all_time(context, only)).is_there:
            continue
        for target in (index for index in range(batch) if index != source):
            own = torch.arange(batch) == target
            if dependence.of(_all_time(context, own), _all_time(context, only)).is_there:
                return source, target
    return 0, 1


def _holds_without(context: Context, norms: list[tuple[str, nn.Module]], numbers: list[int]) -> bool:
    """Whether the sequences are apart as soon as these layers are in evaluation mode."""
    was = [norm.training for _, norm in norms]
    try:
        for _, norm in norms:
            norm.eval()
        dependence = Dependence(context.subject, context.shape, context.inputs, numbers)
        return not any(
            dependence.of(_all_time(context, half), _all_time(context, ~half)).is_there
            for half in _halves(context.inputs.batch)
        )
    finally:
        for (_, norm), training in zip(norms, was, strict=True):
            norm.train(training)
