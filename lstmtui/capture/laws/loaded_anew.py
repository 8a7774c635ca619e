"""Whether a newly built model computes the same once it has loaded the state_dict."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.constants import used_constants
from lstmtui.capture.laws.context import Context, broken, not_taken
from lstmtui.capture.laws.first_place import output_place
from lstmtui.capture.laws.influence import everywhere, largest_change
from lstmtui.capture.laws.rebuilt import Factory, built, constructor_of
from lstmtui.capture.laws.subject import Subject
from lstmtui.errors import Cancelled

_SAY = "factory = …, which builds a model anew, tells"
_SEEDS = 1, 2


def loaded_anew(
    context: Context, loaded: dict[str, Any], whole: list[Tensor], states: Collection[str]
) -> LawResult | str:
    """Build it by the factory, or by its class where there is something that its constructor may have drawn.

    Args:
        context: of the model.
        loaded: its state_dict, as it was read back.
        whole: what comes out of it.
        states: the paths of what it keeps from call to call.

    Returns:
        That it is broken, or not taken; or what was tried, in words, empty where nothing had to be.
    """
    used = used_constants(context, states)
    if context.factory is not None:
        return _by_factory(context, context.factory, loaded, whole, states, used)
    if not used:
        return ""
    text = f"{_listed(used)} not in its state_dict, and it is not known how a new model gets"
    text = f"{text} {'it' if len(used) == 1 else 'them'}"
    constructor = constructor_of(context.subject.model)
    if constructor is None:
        return not_taken(f"{text}; {_SAY}")
    try:
        models = [built(constructor, context.subject, loaded, states, seed, shifts=False) for seed in _SEEDS]
        first, second = (_outputs(context, model) for model in models)
    except Cancelled:
        raise
    except (Exception, SystemExit):
        return not_taken(f"{text}; {_SAY}")
    if (place := _apart(context, first, second)) is not None:
        return _drawn(context, first, second, place, used)
    if _apart(context, whole, first) is not None:
        kind = type(context.subject.model).__name__
        return not_taken(f"{_listed(used)} not in its state_dict, and other than {kind}() makes it; {_SAY}")
    return ", also into a model built anew"


def _by_factory(
    context: Context,
    factory: Factory,
    loaded: dict[str, Any],
    whole: list[Tensor],
    states: Collection[str],
    used: Sequence[str],
) -> LawResult | str:
    for shifts in (False, True):
        try:
            other = built(factory, context.subject, loaded, states, _SEEDS[0], shifts=shifts)
            again = _outputs(context, other)
        except Cancelled:
            raise
        except (Exception, SystemExit) as error:
            return not_taken(f"the factory cannot build and load a second model: {_first_lines(error)}")
        place = _apart(context, whole, again)
        if place is not None and shifts:
            what = _listed(used) if used else "something that it draws is"
            return not_taken(
                f"{what} not in its state_dict, and the same in a new model only because the factory sets "
                "the same seed"
            )
        if place is not None:
            return _drawn(context, whole, again, place, used)
    return ", also into a model built anew"


def _drawn(
    context: Context, whole: list[Tensor], again: list[Tensor], place: Place, used: Sequence[str]
) -> LawResult:
    largest = largest_change(zip(whole, again, strict=True), everywhere(context.inputs), 0.0)
    what = _listed(used) if used else "what it draws while it is built is"
    text = (
        f"a model built anew and loaded from the state_dict is up to {largest:.3g} away: {what} not in there"
    )
    return broken(text, largest, context.subject.tolerance, place)


def _outputs(context: Context, subject: Subject) -> list[Tensor]:
    return [t.detach() for t in context.shape.laid_out(subject.once(context.inputs), context.inputs)]


def _apart(context: Context, whole: list[Tensor], again: list[Tensor]) -> Place | None:
    names = [output.name for output in context.shape.outputs]
    return output_place(names, whole, again, everywhere(context.inputs), context.subject.tolerance)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _first_lines(error: BaseException) -> str:
    """The second one too: of a state_dict that does not fit it says what does not."""
    lines = [line.strip() for line in str(error).splitlines()[:2]]
    return " ".join([f"{type(error).__name__}:", *lines]).strip()
