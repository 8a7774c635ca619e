"""How much one timestep depends on another, as a session asks it, and the answer in words."""

from __future__ import annotations

import math

import numpy as np

from lstmtui.analysis.jacobian_map import JacobianMap, jacobian_map
from lstmtui.analysis.jacobian_row import JacobianRow, jacobian_row
from lstmtui.arrays import Array
from lstmtui.cells.notation import plain
from lstmtui.session.session import Session
from lstmtui.wording import counted

WINDOW = 200
"""So many timesteps have a map at most."""


def ask_row(session: Session) -> JacobianRow:
    """How h at the cursor depends on every earlier timestep."""
    return jacobian_row(session.view)


def ask_map(session: Session, by: str | None) -> JacobianMap:
    """How h of each timestep round the cursor depends on a state or x of each other one; None: on h."""
    start = max(0, min(session.cursor.t - WINDOW * 3 // 4, session.last_t + 1 - WINDOW))
    by = session.cell.states[0] if by is None else by
    return jacobian_map(session.view, by, start, min(start + WINDOW, session.last_t + 1))


def row_text(row: JacobianRow, begins: int = 0) -> str:
    """The nearest norm by each state and by x, and how far back the largest part of each reaches.

    Args:
        row: what is written.
        begins: the timestep that the layer's direction begins with.
    """
    name = row.states[0]
    parts = [
        _reach(row, f"∂{name}_s" if s == name else f"∂{s}_s", v)
        for s, v in zip(row.states, row.by_state, strict=True)
    ]
    parts.append(_reach(row, "∂x_s", row.by_x))
    is_cut = row.first not in (begins, row.t) and not row.has_vanished
    ended = f"; looked at back to t={row.first}" if is_cut else ""
    if row.not_finite >= 0:
        ended = f"; NaN or infinite from s={row.not_finite} back, which is left out{ended}"
    return f"‖∂{name}_{row.t}/·‖ (Frobenius): {'; '.join(parts)}{ended}"


def map_text(shown: JacobianMap, output: str) -> str:
    """Which timesteps it is of, how exact it is, and the largest norm; `output` is the name of h."""
    count = len(shown.values)
    how = f"±{100 * shown.error:.0f} % each, by {shown.probes} random directions" if shown.probes else "exact"
    text = (
        f"‖∂{output}_t/∂{shown.by}_s‖ (Frobenius) for t={shown.start} to t={shown.start + count - 1}: {how}"
    )
    # Half of a map is NaN, where s is not before t; by x, its diagonal is not.
    bad = int(np.isnan(shown.values).sum()) - count * (count - 1 if shown.by == "x" else count + 1) // 2
    if bad:
        text += f"; NaN for {counted(bad, 'pair')}"
    if np.isnan(shown.values).all():
        return text
    t, s = np.unravel_index(int(np.nanargmax(shown.values)), shown.values.shape)
    largest = plain(float(shown.values[t, s]), 3)
    at = f"of {output} at t={shown.start + int(t)} by {shown.by} at t={shown.start + int(s)}"
    return f"{text}; the largest is {largest}, {at}"


def _reach(row: JacobianRow, name: str, values: Array) -> str:
    """The largest norm, where it is, and the farthest timestep at which it is at least 1/e of that."""
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return f"by {name} nothing to look at"
    if not values[finite].any():
        return f"by {name} 0"
    sizes = values[finite]
    largest = float(sizes.max())
    at = int(finite[int(sizes.argmax())])
    strong = finite[sizes >= largest / math.e]
    farthest = int(strong[np.abs(strong - row.t).argmax()])
    return f"by {name} at most {plain(largest, 3)} (s={at}), above 1/e of it to s={farthest}"
