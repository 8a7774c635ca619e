"""Verbs that choose what is looked at: layer, direction, sequence, unit, model."""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.printable import printable
from lstmtui.session.language import arguments
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import movement


def model_names(session: Session) -> Iterator[str]:
    """The names of the models, safe to show."""
    return map(printable, session.traces)


def _model(session: Session, name: str) -> Stop:
    # A command holds only what is safe to show; a model's own name may hold more.
    own = {printable(model): model for model in session.traces}
    return session.select_model(own.get(name, name))


SELECTING = (
    Verb(
        name="layer",
        usage="layer L",
        help="look at layer L",
        parse=arguments.index("the layer"),
        execute=movement(Session.select_layer),
        complete=completions.only(lambda session: map(str, range(len(session.trace.layers)))),
    ),
    Verb(
        name="direction",
        usage="direction forward|backward",
        help="look at one direction of the layer",
        parse=arguments.direction,
        execute=movement(Session.select_direction),
        complete=completions.only(lambda session: session.layer.directions),
    ),
    Verb(
        name="batch",
        usage="batch B",
        help="look at sequence B of the batch",
        parse=arguments.index("the sequence"),
        execute=movement(Session.select_batch),
    ),
    Verb(
        name="unit",
        usage="unit K",
        help="look at unit K",
        parse=arguments.index("the unit"),
        execute=movement(Session.select_unit),
    ),
    Verb(
        name="model",
        usage="model NAME",
        help="look at another model",
        parse=arguments.rest("the model's name"),
        execute=movement(_model),
        complete=completions.name(model_names),
    ),
)
