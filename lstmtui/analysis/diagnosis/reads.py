"""A verdict on what the loss reads: has a direction seen its inputs there, and is it behind the padding?"""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.analysis.diagnosis.padding import padded_ends
from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import BAD, FINE, LOOK, Verdict, not_measured
from lstmtui.analysis.reads import Read, last_layers, read_of
from lstmtui.trace import Trace
from lstmtui.wording import counted

READS_LOOK = READS_BAD = 0.1
"""The share of its inputs that a direction has seen where it has seen most, in the sequence in which that is
largest. `out[:, -1]` of a bidirectional layer reads the backward direction after one input."""

FEWEST = 3
"""Of shorter sequences one input is not little."""


def reads_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """reads, for the layers that are the last of their modules."""
    place = (layer, direction)
    if place not in last_layers(trace):
        return
    if trace.layers[layer].source is not None:
        yield not_measured("reads", *place, "where the loss reads recorded code is not known")
        return
    every = [read_of(trace, layer, direction, b) for b in range(trace.batch)]
    reads = {b: read for b, read in enumerate(every) if read is not None and read.timesteps}
    if not reads:
        if None in every:
            why = trace.absent(layer) or "where the loss reads it was not recorded"
            yield not_measured("reads", *place, why, "h")
        else:
            text = "the loss reads nothing of it"
            next_ = selecting(trace, *place)
            yield Verdict("reads", LOOK, *place, "h", 0.0, READS_LOOK, text, next=next_)
        return
    batch, most = max(reads.items(), key=lambda item: item[1].share)
    behind = {} if direction == "backward" else _behind_padding(trace, layer, reads)
    if most.length >= FEWEST and (most.share <= READS_BAD or most.seen[1] == 1):
        text = (
            f"the loss reads it at {most.when}, where it has seen {most.seen[1]:,} of {most.length:,} inputs"
        )
        other = "the first timestep" if direction == "backward" else "the last timestep"
        text += f"; its output at {other}, and its last state, have seen all"
        yield _verdict(trace, BAD, place, batch, most, text)
    elif behind:
        batch, (timesteps, is_sure) = max(behind.items(), key=lambda item: item[1])
        text = (
            f"the loss reads {len(behind):,} of {counted(trace.batch, 'sequence')} behind what looks like "
            f"their end: sequence {batch} at {reads[batch].when}, {counted(timesteps, 'timestep')} after it; "
            "give lengths, pack the sequences, or read each at its own end"
        )
        yield _verdict(trace, BAD if is_sure else LOOK, place, batch, reads[batch], text)
    elif direction != "backward" and (into := _into_padding(trace, layer, reads)):
        batch, timesteps = max(into.items(), key=lambda item: item[1])
        text = (
            f"the loss reads {len(into):,} of {counted(trace.batch, 'sequence')} into what looks like "
            f"padding: sequence {batch} at {reads[batch].when}, up to {counted(timesteps, 'timestep')} after "
            "its end; leave those out of the mean, or of the loss"
        )
        yield _verdict(trace, LOOK, place, batch, reads[batch], text)
    else:
        yield _verdict(trace, FINE, place, batch, most, f"the loss reads it {most.where}")


def _behind_padding(trace: Trace, layer: int, reads: dict[int, Read]) -> dict[int, tuple[int, bool]]:
    """How many timesteps after its end a sequence is read first, and whether the padding is sure."""
    if "lengths" in trace.arrays:
        return {}
    padded, is_sure = padded_ends(trace, layer)
    after = {b: read.first - (read.length - int(padded[b])) + 1 for b, read in reads.items() if padded[b]}
    return {b: (timesteps, is_sure) for b, timesteps in after.items() if timesteps > 0}


def _into_padding(trace: Trace, layer: int, reads: dict[int, Read]) -> dict[int, int]:
    """How many timesteps after its end a sequence is read last, where the padding is sure."""
    padded, is_sure = padded_ends(trace, layer) if "lengths" not in trace.arrays else ((), False)
    if not is_sure:
        return {}
    after = {b: read.last - (read.length - int(padded[b])) + 1 for b, read in reads.items() if padded[b]}
    return {b: timesteps for b, timesteps in after.items() if timesteps > 0}


def _verdict(trace: Trace, how: str, place: tuple[int, str], batch: int, read: Read, text: str) -> Verdict:
    next_ = "" if how == FINE else then(selecting(trace, *place, batch=batch), f"goto {read.first}")
    return Verdict("reads", how, *place, "h", read.share, READS_LOOK, text, next=next_)
