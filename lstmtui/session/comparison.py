"""Two runs on one cursor: which one to compare with, the norms of both, and the difference of a quantity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.session.divergence import Divergence, first_divergence
from lstmtui.session.lengths import lengths_of
from lstmtui.session.readings import reading
from lstmtui.session.session import Session
from lstmtui.session.windows import Binning, Window, binned, window
from lstmtui.trace import Trace, Traces, is_trace, load

_BLOCK = 1 << 14


def compared_with(session: Session, word: str | None) -> Trace | None:
    """The run that the word of `compare` means: of a model of this session, with its what-ifs, or saved.

    Args:
        session: whose models are meant, before any file.
        word: a model's name, the path of a saved trace, or None (in the command language `none`). Of a
            trace of several models the one named as the selected model is taken.

    Raises:
        UserError: there is no such run, it is the one on screen already, or the trace cannot be read.
    """
    if word is None:
        return None
    if word == session.cursor.model:
        raise UserError(f"{printable(word)}: is on screen already; compare it with {_others(session)}")
    if word in session.traces:
        variant = None if session.variants is None else session.variants.trace(word)
        return session.traces[word] if variant is None else variant
    find = saved_run if session.elsewhere is None else session.elsewhere.load
    found = find(word, session.cursor.model)
    if found is None:
        raise UserError(f"{printable(word)}: no model and no saved trace; compare with {_others(session)}")
    return found


def saved_run(word: str, model: str) -> Trace | None:
    """A run that was saved in this file system; None where there is no trace.

    Args:
        word: the path of the trace.
        model: which one is taken of a trace of several.

    Raises:
        UserError: the trace cannot be read, or there is no such model in it.
    """
    try:
        path = Path(word).expanduser()
        found = is_trace(path)
    except (OSError, ValueError, RuntimeError):
        found = False
    return _chosen(load(path), model, word) if found else None


def beside(session: Session, other: Trace) -> Session:
    """A session on the other run at the same cursor, or the nearest place it has: every view works on it."""
    mirror, cursor = Session(other, elsewhere=session.elsewhere), session.cursor
    layer = min(cursor.layer, len(other.layers) - 1)
    directions = other.layers[layer].directions
    batch = min(cursor.batch, other.batch - 1)
    mirror.cursor = replace(
        cursor,
        model=mirror.cursor.model,
        layer=layer,
        direction=cursor.direction if cursor.direction in directions else directions[0],
        batch=batch,
        unit=min(cursor.unit, other.layers[layer].hidden_size - 1),
        t=max(0, min(cursor.t, int(lengths_of(other, layer)[batch]) - 1)),
        stage=None,
    )
    return mirror


@reading()
def parting(session: Session, other: Trace) -> Divergence | None:
    """The first place where this run and the other one differ, see `divergence.first_divergence`.

    Raises:
        UserError: they cannot be compared.
    """
    return first_divergence(session.trace, other)


def common_quantities(session: Session, other: Trace) -> tuple[str, ...]:
    """The quantities of the selected layer that both runs have with as many units, in order of evaluation."""
    here, there = session.cursor, beside(session, other).cursor
    theirs = other.quantities(there.layer)
    return tuple(
        name
        for name in session.trace.quantities(here.layer)
        if name in theirs
        and session.trace.values(name, here.layer, here.direction).shape[2]
        == other.values(name, there.layer, there.direction).shape[2]
    )


@reading()
def both_norms(session: Session, other: Trace, quantity: str) -> tuple[Array, Array]:
    """The L2 norm over units for every t of the selected sequence, (T,), of this run and of the other.

    Raises:
        UserError: one of them has no such quantity.
    """
    places = ((s.trace, s.cursor) for s in (session, beside(session, other)))
    here, there = (trace.norms(quantity, c.layer, c.direction)[:, c.batch] for trace, c in places)
    return here, there


@reading(picture=True)
def difference(
    session: Session,
    other: Trace,
    quantity: str,
    start: int,
    stop: int,
    rows: int | None = None,
    binning: Binning = "extreme",
) -> Window:
    """This run's quantity minus the other's, as `windows.window` gives one alone; float64.

    Equal infinities differ by 0; where one of them is NaN the difference is. Timesteps that one of
    them does not have are not valid, and 0.

    Raises:
        UserError: one of them has no such quantity, or not as many units.
    """
    here, there = (window(s, quantity, start, stop) for s in (session, beside(session, other)))
    if here.units != there.units:
        raise UserError(f"{quantity}: has {here.units} units in one run and {there.units} in the other")
    shared = min(len(here.values), len(there.values))
    values = np.zeros(here.values.shape, np.float64)
    values[:shared] = _minus(here.values[:shared], there.values[:shared])
    valid = here.valid.copy()
    valid[:shared] &= there.valid[:shared]
    valid[shared:] = False
    values[~valid] = 0.0
    per_row = 1 if rows is None else -(-here.units // max(1, rows))
    rows_of = binned(values, per_row, binning)
    return Window(quantity, start, stop, rows_of, here.units, per_row, valid)


@reading()
def difference_limit(session: Session, other: Trace, quantity: str) -> float:
    """Where a diverging map of the difference ends on every page, by the rule of `windows.color_limit`.

    Reads the selected sequence of both runs once; it does not depend on t.
    """
    high, squares, count = 0.0, 0.0, 0
    for start in range(0, session.last_t + 1, _BLOCK):
        part = difference(session, other, quantity, start, min(start + _BLOCK, session.last_t + 1))
        finite = part.values[part.valid]
        finite = finite[np.isfinite(finite)]
        high = max(high, float(np.abs(finite).max(initial=0.0)))
        squares, count = squares + float(finite @ finite), count + finite.size
    return min(high, 3 * float(np.sqrt(squares / max(1, count)))) or 1.0


def _minus(a: Array, b: Array) -> Array:
    """a − b in float64, and 0 where they are equal: inf − inf is NaN."""
    with np.errstate(all="ignore"):
        return np.where(a == b, 0.0, a.astype(np.float64) - b.astype(np.float64))


def _chosen(found: Trace | Traces, model: str, word: str) -> Trace:
    if isinstance(found, Trace):
        return found
    if model in found:
        return found[model]
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(printable(name) for name in found)
    raise UserError(f"{printable(word)}: holds {names}, and none is called {printable(model)}")


def _others(session: Session) -> str:
    """What there is to compare with, in words."""
    names = [printable(name) for name in session.traces if name != session.cursor.model]
    return ", ".join([*names, "the path of a saved trace"])
