"""Where the states of code come from: what they begin from, and what the code does to them between rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

from lstmtui.capture.equality import same
from lstmtui.capture.origins.continuity import is_reset
from lstmtui.capture.origins.state_origins import DRAWN, Beginning, is_expanded, together
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.layers.carried import initial_of
from lstmtui.capture.source.layers.series import Series
from lstmtui.capture.source.runs.run import Run
from lstmtui.trace.state_origin import SHOWN, ChangeKind, StateChange, StateOrigin

_DETACHED = ("detached", "requires none")
"""Why a tensor has no gradient that is made of one which has."""


def state_origin_of(
    carried: Mapping[Series, Sequence[Series]], series: Sequence[Series], run: Run
) -> StateOrigin | None:
    """Of all states of a run together; None where it carries none, or what it begins from was not bound.

    Args:
        carried: the states, with the names to which the next round binds them.
        series: every name.
        run: whose they are.
    """
    begins = {part: _beginning(targets, run) for part, targets in carried.items()}
    known = {part: begin for part, begin in begins.items() if begin is not None}
    if not known:
        return None
    changes: dict[ChangeKind, set[int]] = {}
    begins_at = accumulate(rounds for _, rounds in run.stretches)
    for t, handed in zip(begins_at, run.handed, strict=False):
        if kind := _change(handed.left, handed.given):
            changes.setdefault(kind, set()).add(t)
    for part in known:
        for kind, t in _changes(part, _begun(part, carried[part], series)):
            changes.setdefault(kind, set()).add(t)
    origin = together(list(known.values()), [part.name for part in known])
    listed = ((kind, sorted(times)) for kind, times in changes.items())
    return StateOrigin(
        origin.kind,
        origin.begins,
        tuple(StateChange(kind, tuple(times[:SHOWN]), len(times)) for kind, times in listed),
    )


def _beginning(targets: Sequence[Series], run: Run) -> Beginning | None:
    """What a state is before the first round."""
    binding = next((b for target in targets if (b := initial_of(target, run)) is not None), None)
    if binding is None:
        return None
    if not bool(binding.value.any()):
        return Beginning("zeros", "zeros")
    if (name := _parameter(binding)) is not None:
        return Beginning("parameter", f"the parameter {name}")
    if binding.drawn:
        return Beginning("drawn", DRAWN)
    return Beginning("given", f"what {binding.name} is before the first round")


def _parameter(binding: Binding) -> str | None:
    """The parameter whose numbers a tensor has, for every sequence the same, of the modules that run."""
    call = binding.call if not binding.absent else None
    while call is not None:
        if call.module is not None:
            for name, parameter in call.module.named_parameters():
                is_alike = (parameter.device, parameter.dtype) == (binding.value.device, binding.value.dtype)
                if is_alike and is_expanded(binding.value, parameter):
                    return f"{call.path}.{name}" if call.path else name
        call = call.caller
    return None


def _begun(part: Series, targets: Sequence[Series], series: Sequence[Series]) -> Series | None:
    """The name that each round has the state under before all else; None: there is none but its own."""
    first = (o for o in series if (o.code, o.written) == (part.code, part.written) and o.place == 1)
    other = (target for target in targets if target is not part)
    return next(first, None) or next(other, None)


def _changes(part: Series, begun: Series | None) -> list[tuple[ChangeKind, int]]:
    """What is other about a state at the beginning of a round than at the end of the one before.

    Where the round binds the state's own name anew it is the state with something done to it, unless it is
    another tensor in most rounds: then that is how the state is computed.
    """
    changes: list[tuple[ChangeKind, int]] = []
    alike = others = 0
    after = begun.rounds[1:] if begun is not None else []
    for t, (own, following) in enumerate(zip(part.rounds, after, strict=False), start=1):
        if not own or not following:
            continue
        kind = _change(own[-1], following[0])
        alike, others = alike + (kind in ("", "detached")), others + (kind == "changed")
        if kind:
            changes.append((kind, t))
    return [] if begun is not None and begun.code is part.code and others > alike else changes


def _change(left: Binding, given: Binding) -> ChangeKind | Literal[""]:
    """What has become of a tensor that was left; empty where it is the same."""
    a, b = left.value, given.value.to(left.value.device)
    if left.identity == given.identity or a.shape != b.shape or a.dtype != b.dtype:
        return ""
    if same(a, b):
        return "detached" if given.absent in _DETACHED and not left.absent else ""
    return "reset" if is_reset(b, a) else "changed"
