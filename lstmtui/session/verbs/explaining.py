"""Verbs that explain what a number is made of."""

from __future__ import annotations

from lstmtui.analysis.jacobian_map import names_of_maps
from lstmtui.analysis.why.ledger import Place
from lstmtui.cells.notation import UNICODE
from lstmtui.session.ablation import ablate
from lstmtui.session.asked import Asked
from lstmtui.session.asking_jacobians import ask_map, ask_row, map_text, row_text
from lstmtui.session.asking_why import Unit, ask_where, ask_why
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.requests import ShowJacobian, ShowWhy
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.completions import Begun
from lstmtui.session.verbs.verb import Verb


def _why(session: Session, quantity: str | None, unit: Unit) -> Outcome:
    ledger = ask_why(session, quantity, unit, UNICODE)
    session.asked = Asked("parts", session.cursor.model, ledger.asked)
    return Outcome(True, str(ledger), value=ledger.value, ledger=ledger, request=ShowWhy(ledger))


def _where(session: Session, quantity: str | None, unit: Unit) -> Outcome:
    remains = ask_where(session, quantity, unit)
    session.asked = Asked("remains", session.cursor.model, remains.asked)
    return Outcome(True, remains.sentence(), value=remains.left)


def _jacobian(session: Session, what: str, by: str | None) -> Outcome:
    states = session.cell.states
    if what == "map":
        shown = ask_map(session, by)
        text = map_text(shown, states[0])
        request = ShowJacobian(shown, session.cursor.t, text, names_of_maps(session.cell))
        return Outcome(True, text, value=shown.values, request=request)
    row, cursor = ask_row(session), session.cursor
    place = Place(states[0], cursor.t, 0, cursor.layer, cursor.direction, cursor.batch)
    session.asked = Asked("dependence", cursor.model, place)
    return Outcome(
        True, row_text(row, session.last_t if cursor.direction == "backward" else 0), value=row.by_state[0]
    )


def _ablate(session: Session, quantity: str | None, unit: Unit, number: int) -> Outcome:
    return Outcome(True, ablate(session, quantity, unit, number))


def _complete_asked(session: Session, begun: Begun) -> list[str]:
    words = () if begun.before else ("loss", "written", "routes")
    return completions.beginning(begun.last, (*completions.quantities(session), *words))


def _complete_jacobian(session: Session, begun: Begun) -> list[str]:
    if len(begun.before) > 1:
        return []
    names = names_of_maps(session.cell) if begun.before else ("map",)
    return completions.beginning(begun.last, names)


EXPLAINING = (
    Verb(
        name="why",
        usage="why [[written|routes] QUANTITY[UNIT]]",
        help="what a number is made of: an exact sum of parts, each of which can be asked about",
        parse=arguments.asked,
        execute=_why,
        complete=_complete_asked,
        other_names=("explain",),
        reads="arrays",
        in_lesson="checks",
    ),
    Verb(
        name="where",
        usage="where [QUANTITY[UNIT]]",
        help="what became of what was written to a state here: when half of it was gone, what is left",
        parse=arguments.asked,
        execute=_where,
        complete=completions.only(lambda session: tuple(session.cell.keeping)),
        reads="arrays",
        in_lesson="checks",
    ),
    Verb(
        name="jacobian",
        usage="jacobian [map [STATE|x]]",
        help="how much h here depends on the states and inputs of earlier timesteps; map: each on each",
        parse=arguments.optional_map,
        execute=_jacobian,
        complete=_complete_jacobian,
        reads="arrays",
        in_lesson="checks",
    ),
    Verb(
        name="ablate",
        usage="ablate [QUANTITY[UNIT]] [part N]",
        help="what if: run again without the largest part of what `why` says, or its part N",
        parse=arguments.asked_part,
        execute=_ablate,
        complete=_complete_asked,
        reads="arrays",
        runs_model=True,
        changes_run=True,
    ),
)
