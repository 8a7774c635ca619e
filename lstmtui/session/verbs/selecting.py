"""Verbs that select what is shown: layer, direction, sequence, unit, model."""

from __future__ import annotations

from lstmtui.printable import printable
from lstmtui.session.language import arguments
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.selection import Selection, numbers
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import movement


def model_names(session: Session) -> list[str]:
    """The names of the models, safe to show."""
    return [printable(name) for name in session.traces]


def _model(session: Session, name: str) -> Stop:
    # A command holds only what is safe to show; a model's own name may hold more.
    own = {printable(model): model for model in session.traces}
    return session.select_model(own.get(name, name))


def _layer(session: Session, layer: int, direction: str | None, batch: int | None, unit: int | None) -> Stop:
    """The place as a whole, or none of it."""
    before, stops = session.cursor, [session.select_layer(layer)]
    if direction is not None and stops[-1].ok:
        stops.append(session.select_direction(direction))
    if batch is not None and stops[-1].ok:
        stops.append(session.select_batch(batch))
    if unit is not None and stops[-1].ok:
        stops.append(session.select_unit(unit))
    if not stops[-1].ok:
        session.cursor = before
        return stops[-1]
    return Stop("select", ", ".join(stop.text for stop in stops))


_LAYERS = Selection(lambda s: numbers(len(s.trace.layers)), lambda s: str(s.cursor.layer), "layer")
_DIRECTIONS = Selection(lambda s: s.layer.directions, lambda s: s.cursor.direction, "direction")
_SEQUENCES = Selection(
    lambda s: numbers(s.trace.batch), lambda s: str(s.cursor.batch), "sequence in the batch"
)
_UNITS = Selection(lambda s: numbers(s.layer.hidden_size), lambda s: str(s.cursor.unit))
_MODELS = Selection(model_names, lambda s: printable(s.cursor.model), "model")

SELECTING = (
    Verb(
        name="layer",
        usage="layer L [forward|backward] [batch B] [unit K]",
        help="look at layer L, or at a place in it",
        parse=arguments.layer_place,
        execute=movement(_layer),
        selection=_LAYERS,
        complete=completions.only(_LAYERS.choices),
    ),
    Verb(
        name="direction",
        usage="direction forward|backward",
        help="look at one direction of the layer",
        parse=arguments.direction,
        execute=movement(Session.select_direction),
        selection=_DIRECTIONS,
        complete=completions.only(_DIRECTIONS.choices),
    ),
    Verb(
        name="batch",
        usage="batch B",
        help="look at sequence B of the batch",
        parse=arguments.index("the sequence"),
        execute=movement(Session.select_batch),
        selection=_SEQUENCES,
    ),
    Verb(
        name="unit",
        usage="unit K",
        help="look at unit K",
        parse=arguments.index("the unit"),
        execute=movement(Session.select_unit),
        selection=_UNITS,
    ),
    Verb(
        name="model",
        usage="model NAME",
        help="look at another model",
        parse=arguments.rest("the model's name"),
        execute=movement(_model),
        selection=_MODELS,
        complete=completions.name(model_names),
    ),
)
