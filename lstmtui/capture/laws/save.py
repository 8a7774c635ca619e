"""The law `save`: saving and loading changes nothing."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.context import Context, broken, held, not_taken
from lstmtui.capture.laws.first_place import output_place
from lstmtui.capture.laws.influence import largest_change
from lstmtui.capture.laws.kept_tensors import kept_by_call
from lstmtui.capture.laws.loaded_anew import loaded_anew
from lstmtui.capture.modules.plain_attributes import plain_attributes
from lstmtui.wording import first_line


def save(context: Context) -> LawResult:
    """Load the model's state_dict into a copy that knows nothing else, and hand on a state that was saved."""
    subject, inputs = context.subject, context.inputs
    model = subject.model
    if not isinstance(model, nn.Module):
        return not_taken("not an nn.Module, so it has no state_dict")
    if context.differs:
        return not_taken(context.differs)
    try:
        loaded = _read_back(model.state_dict())
        other = copy.deepcopy(model)
    except (RuntimeError, TypeError, pickle.UnpicklingError, AttributeError) as error:
        return not_taken(f"it cannot be copied or saved: {first_line(error)}")
    unsaved = sorted(_forget(other))
    other.load_state_dict(loaded)
    whole = [t.detach() for t in context.shape.laid_out(subject.once(inputs), inputs)]
    again = [t.detach() for t in context.shape.laid_out(replace(subject, model=other).once(inputs), inputs)]
    everywhere = torch.ones(inputs.steps, inputs.batch, dtype=torch.bool)
    place = output_place([o.name for o in context.shape.outputs], whole, again, everywhere, 0.0)
    if place is not None:
        largest = largest_change(zip(whole, again, strict=True), everywhere, 0.0)
        lost = f": {', '.join(unsaved)} is not in its state_dict" if unsaved else ""
        return broken(f"loaded from its state_dict it is up to {largest:.3g} away{lost}", largest, 0.0, place)
    states = _states(context)
    anew = loaded_anew(context, loaded, whole, states)
    if isinstance(anew, LawResult):
        return anew
    outcome = _state(context)
    if isinstance(outcome, LawResult):
        return outcome
    saved = set(model.state_dict())
    gives = "give" if outcome else "gives"
    return held(
        f"the state_dict{outcome}, saved and loaded{anew}, {gives} the same to the bit",
        notes=_notes(sorted(states - saved)),
    )


def _state(context: Context) -> LawResult | str:
    """Half of the sequence, the state saved and loaded, and the other half."""
    subject, inputs = context.subject, context.inputs
    half = inputs.steps // 2
    if not subject.takes_state or half < 1 or context.backward_layer:
        return ""
    rest = inputs.cut(half, inputs.steps)
    try:
        with subject.fresh():
            state = subject.call(inputs.cut(0, half)).state
        if state is None:
            return ""
        loaded = _read_back(state)
        results = []
        for own in (state, loaded):
            with subject.fresh():
                results.append(context.shape.laid_out(subject.call(rest, own), rest))
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError):
        return ""
    except pickle.UnpicklingError as error:
        return broken(f"the state cannot be read back: {first_line(error)}")
    everywhere = torch.ones(rest.steps, rest.batch, dtype=torch.bool)
    kept, read_back = ([t.detach() for t in tensors] for tensors in results)
    place = output_place([o.name for o in context.shape.outputs], kept, read_back, everywhere, 0.0)
    if place is None:
        return " and the state"
    largest = largest_change(zip(kept, read_back, strict=True), everywhere, 0.0)
    at = Place(
        None if place.t is None else half + place.t, None, "", "", place.quantity, place.unit, place.batch
    )
    return broken(
        f"a state that was saved and loaded gives up to {largest:.3g} more or less", largest, 0.0, at
    )


def _states(context: Context) -> set[str]:
    """The paths of what the model keeps on itself, and a call has made or changed."""
    if not context.keeps_state:
        return set()
    names = kept_by_call(context.subject, context.inputs)
    return {name.rpartition(".")[0].lstrip(".") for name in names}


def _notes(unsaved: list[str]) -> tuple[str, ...]:
    """What the model keeps on itself and a state_dict does not hold."""
    if not unsaved:
        return ()
    return (
        f"{', '.join(unsaved)}, kept on the model, is not in its state_dict: a resumed stream begins anew",
    )


def _read_back(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def _forget(model: nn.Module) -> set[str]:
    """Put other numbers into everything that is trained or saved; the names of what is trained only."""
    with torch.no_grad():
        saved = model.state_dict()
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name in saved or isinstance(tensor, nn.Parameter):
                _spoil(tensor)
        unsaved = set()
        for path, module in list(model.named_modules()):
            for name, tensor in _trained_apart(module):
                _spoil(tensor)
                unsaved.add(f"{path}.{name}" if path else name)
    return unsaved


def _spoil(tensor: Tensor) -> None:
    if tensor.is_floating_point():
        tensor.add_(
            torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)).to(tensor).abs() + 1
        )


def _trained_apart(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors that are trained and not registered: plain attributes, modules in plain lists."""
    for name, value in plain_attributes(module):
        members = (
            value
            if isinstance(value, (list, tuple))
            else value.values()
            if isinstance(value, dict)
            else (value,)
        )
        for member in members:
            if isinstance(member, nn.Parameter) and name.startswith("_"):
                continue  # a list of those that are registered
            if isinstance(member, Tensor) and member.is_leaf and member.requires_grad:
                yield name, member
            elif isinstance(member, nn.Module):
                for _, parameter in member.named_parameters():
                    yield name, parameter
