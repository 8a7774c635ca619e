"""Cells with states, sizes and equations of their own, over a link: what is said is what is said here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.recurrents import noise
from remote.pairs import local_session, session_on

import lstmtui
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.reach import horizon
from lstmtui.analysis.unit_values import numbers_at, survivals_at
from lstmtui.cells.cell import Equations
from lstmtui.cells.functions import sigmoid
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute


def _own(p: Any, x: Any, h: Any, memory: Any) -> Equations:
    """A cell of a user's."""
    keep = yield "keep", sigmoid(p.W_k @ x + p.R_k @ h)
    memory = yield "memory", keep * memory + (1 - keep) * (p.W_k @ x)
    yield "h", memory / (1 + abs(memory))


OWN = lstmtui.Cell("users_own", _own, rows=("k",), states=("h", "memory"))


@pytest.mark.parametrize(
    ("cell", "sizes"), [(OWN, {}), ("slstm", {"heads": 2}), ("rglru", {}), ("cfc", {"backbone": 6})]
)
def test_a_walk_over_a_link_says_what_it_says_here(
    cell: str | lstmtui.Cell, sizes: dict[str, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = lstmtui.Recurrent(cell, 3, 4, **sizes)
    x = noise(12, 2, 3, seed=1, dtype=torch.float32)
    lstmtui.record(module, x, loss=lambda result: result[0].square().sum()).save(tmp_path / "a.trace")
    quantity = module.layout.cell.quantities[0]

    def walk(session: Session) -> list[str]:
        said = []
        for line in ("goto 4", "unit 2", f"print {quantity}", f"set {quantity} = 0 from 2 to 3", "print h"):
            command = parse_line(line, vocabulary=session.vocabulary)
            assert command is not None
            said.append(execute(session, command).text)
        view = session.view
        return [*said, *map(repr, (equations_at(view), numbers_at(view), survivals_at(view), horizon(view)))]

    here = walk(local_session(lstmtui.load(tmp_path / "a.trace")))
    with session_on(tmp_path / "a.trace") as (session, _):
        assert walk(session) == here
