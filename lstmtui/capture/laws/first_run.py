"""Sorts the arguments a user gives to `laws`, and runs the model once to find its axes and dtype."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstmtui.capture.laws.calls import seen_calls
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.layout import inputs_of
from lstmtui.capture.laws.subject import Subject
from lstmtui.capture.modules.arguments import changed
from lstmtui.errors import UserError
from lstmtui.models.unroll import hx_of
from lstmtui.wording import counted


def taken_apart(subject: Subject, x: Any, state: Any, lengths: Any) -> tuple[Any, Any, Any, bool]:
    """(x, state, lengths, whether x is packed), where state and lengths stand among the arguments too."""
    signature = subject.signature
    own_lengths = signature.lengths
    packs = isinstance(subject.original, nn.RNNBase) and lengths is not None
    if type(x) is tuple and signature.names and not isinstance(x, PackedSequence):
        named = dict(zip(signature.names, x, strict=False))
        states = [named.pop(name) for name in signature.states if name in named]
        if states and state is None:
            state = hx_of(tuple(states))
        if own_lengths in named and lengths is None:
            lengths = named.pop(own_lengths)
        if len(named) < len(x):
            x = named if len(named) > 1 else next(iter(named.values()))
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x, batch_first=bool(getattr(subject.original, "batch_first", False)))
        packs = True
    return x, state, lengths, packs


def first_run(
    subject: Subject, x: Any, state: Any, lengths: Tensor | None, batch_first: bool | None
) -> tuple[Inputs, list[Any]]:
    """The input in the dtype that the model runs in, float64 where that works, and its recurrent calls."""
    for dtype in (torch.float64, None):
        try:
            subject.use(dtype)
            own_x, own_state = (changed(value, lambda t: _in(t, subject.dtype)) for value in (x, state))
            raw = Inputs(own_x, (), 0, 0, lengths, own_state)
            if subject.packs or (subject.signature.needs_lengths and lengths is None):
                first = _packs_first(subject, batch_first)
                raw = inputs_of(subject.model, own_x, lengths, own_state, [], first)
                if lengths is None:
                    lengths = torch.full((raw.batch,), raw.steps)
                    raw = replace(raw, lengths=lengths)
            with subject.fresh(), seen_calls(subject.model) as calls:
                subject.call(raw)
            return inputs_of(subject.model, own_x, lengths, own_state, calls, batch_first), calls
        except UserError:
            raise
        except Exception:
            if dtype is None:
                raise
    raise AssertionError


def _packs_first(subject: Subject, batch_first: bool | None) -> bool | None:
    own = getattr(subject.model, "batch_first", None)
    return own if batch_first is None and isinstance(own, bool) else batch_first


def _in(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def starts_of(starts: Any, inputs: Inputs) -> Tensor:
    """bool (T, B)."""
    where = torch.as_tensor(starts).detach().cpu().bool()
    if where.dim() == 1 and inputs.batch == 1:
        where = where.unsqueeze(inputs.leaves[0].batch or 0 if inputs.leaves[0].batch is not None else 1)
    if inputs.leaves[0].batch == 0:
        where = where.T
    if where.shape != (inputs.steps, inputs.batch):
        raise UserError(
            f"starts: expected the first two axes of x, {counted(inputs.steps, 'timestep')} of "
            f"{counted(inputs.batch, 'sequence')}"
        )
    return where
