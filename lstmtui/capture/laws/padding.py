"""The law `padding`: a sequence alone equals the same sequence padded in a batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.equality import equal
from lstmtui.capture.laws.batch_norms import norms_in_training
from lstmtui.capture.laws.context import Context, broken, by_design, held, not_taken
from lstmtui.capture.laws.first_place import first_place, output_place, recorded_call
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.part_of_trace import part_of
from lstmtui.wording import counted, first_line

MOST_SEQUENCES = 16
"""How many sequences are run alone, the shortest first."""


def padding(context: Context) -> LawResult:
    """Hold it with the lengths that were given, or, where the model takes lengths, with some made up."""
    inputs = _with_lengths(context)
    if inputs.batch < 2:
        return not_taken("there is only one sequence")
    if inputs.lengths is None:
        return not_taken(f"no lengths are given, so every sequence has {counted(inputs.steps, 'timestep')}")
    if why := context.differs or context.other_steps:
        return not_taken(why)
    norms = norms_in_training(context.subject.model)
    if norms:
        return by_design(f"{norms[0][0]} is in training mode: its mean and variance are of the whole batch")
    shortest = torch.argsort(inputs.lengths, stable=True)[:MOST_SEQUENCES].tolist()
    if int(inputs.lengths.min()) == inputs.steps:
        return not_taken("no sequence is shorter than the batch")
    padded = context.subject.once(inputs)
    whole = [tensor.detach() for tensor in context.shape.laid_out(padded, inputs)]
    largest = 0.0
    for sequence in shortest:
        alone = _alone(inputs, sequence)
        try:
            result = context.subject.once(alone)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            return not_taken(f"a batch of one fails: {first_line(error)}")
        single = [tensor.detach() for tensor in context.shape.laid_out(result, alone)]
        outcome = _compared(context, inputs, sequence, whole, single)
        if isinstance(outcome, LawResult):
            return outcome
        largest = max(largest, outcome)
    lengths = f"{int(inputs.lengths.min())} to {int(inputs.lengths.max())}"
    text = f"{counted(len(shortest), 'sequence')} of {lengths} timesteps, alone and padded, are the same"
    return held(text, largest, context.subject.tolerance)


def _with_lengths(context: Context) -> Inputs:
    """The input with lengths; some are made up where the model takes them and none were given."""
    inputs = context.inputs
    is_whole = inputs.lengths is None or bool((inputs.lengths == inputs.steps).all())
    if not is_whole or not context.subject.signature.lengths or inputs.steps < 2:
        return inputs
    lengths = torch.linspace(inputs.steps, max(1, inputs.steps // 2), inputs.batch).to(torch.int64)
    return replace(inputs, lengths=lengths)


def _alone(inputs: Inputs, sequence: int) -> Inputs:
    """One sequence without what it is padded with."""
    assert inputs.lengths is not None
    return inputs.of([sequence]).cut(0, int(inputs.lengths[sequence]))


def _compared(
    context: Context, inputs: Inputs, sequence: int, whole: list[Tensor], single: list[Tensor]
) -> LawResult | float:
    assert inputs.lengths is not None
    length, outputs = int(inputs.lengths[sequence]), context.shape.outputs
    numbers = [n for n, output in enumerate(outputs) if output.batch is not None]
    names = [outputs[n].name for n in numbers]
    pairs = [(whole[n][:length, sequence : sequence + 1], single[n][:length]) for n in numbers]
    of = torch.ones(length, 1, dtype=torch.bool)
    padded, alone = [a for a, _ in pairs], [b for _, b in pairs]
    place = output_place(names, alone, padded, of, context.subject.tolerance)
    largest = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
    if place is None:
        return largest
    return _unlike(context, inputs, sequence, replace(place, batch=sequence), largest)


def _unlike(context: Context, inputs: Inputs, sequence: int, place: Place, largest: float) -> LawResult:
    """Padding changes a sequence: where its run in the batch first differs from a run of it alone."""
    assert inputs.lengths is not None
    subject, length = context.subject, int(inputs.lengths[sequence])
    text = f"{place.quantity} of sequence {sequence} is up to {largest:.3g} away from what it is alone"
    batch, alone = recorded_call(subject, inputs), recorded_call(subject, _alone(inputs, sequence))
    parting = None
    if batch is not None and alone is not None and batch.batch == inputs.batch and alone.batch == 1:
        steps = min(length, batch.steps, alone.steps)
        pair = part_of(alone, 0, 0, steps), part_of(batch, sequence, 0, steps)
        parting = first_place(subject, pair)
        if parting is None:
            behind = f"t={length} to {inputs.steps - 1}"
            what = "it is a state that was advanced by" if _is_state(context, place) else "it is read in"
            text += f"; all layers are the same up to its end: {what} the padding at {behind}"
            place = replace(place, t=length)
    if parting is None:
        return broken(text, largest, subject.tolerance, place)
    first, apart = parting
    return broken(
        f"{text}; alone {apart.a:.6g}, padded {apart.b:.6g}",
        largest,
        subject.tolerance,
        replace(first, batch=sequence),
    )


def _is_state(context: Context, place: Place) -> bool:
    """Whether what came out is what a recurrent layer returned as its last state."""
    if place.quantity.startswith("state"):
        return True
    number = [output.name for output in context.shape.outputs].index(place.quantity)
    came_out = context.subject.once(context.inputs).tensors[number].detach().flatten()
    states = [state.detach().flatten() for call in context.calls for state in call.after]
    return any(equal(came_out, state) for state in states)
