"""The picture of a cell: every operation is wired to what it reads, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from oracles.invented_cells import MINGRU, ODD

from lstmtui.analysis.node_values import nodes_of
from lstmtui.cells import CELLS
from lstmtui.cells.cell import Cell
from lstmtui.tui.diagram.columns import Columns, Graph
from lstmtui.tui.diagram.drawing import Drawing, Form
from lstmtui.tui.diagram.layout import FORMS, SPREADS, drawing_for
from lstmtui.tui.diagram.placement import Placement
from lstmtui.tui.diagram.routing import OPPOSITE, STEPS, NoRoute, Wires

EVERY = [*CELLS.values(), MINGRU, ODD]
SMALLEST, ROOMIEST = (50, 99), (200, 99)


def picture(cell: Cell, size: tuple[int, int], *, ascii: bool = False) -> Drawing:
    """The picture of a cell in a size."""
    drawing = drawing_for(nodes_of(cell, projected=False), cell.states, *size, 2, ascii)
    assert drawing is not None
    return drawing


def text_of(drawing: Drawing) -> str:
    """The rows, with a # for each number."""
    rows = []
    for row in drawing.rows:
        line = [" "] * drawing.width
        for run in row:
            shown = "#" + run.text[1:] if run.part in ("value", "before") else run.text
            line[run.x : run.x + len(shown)] = shown
        rows.append("".join(line).rstrip())
    return "\n".join(rows)


OLAHS = """\
c   #       ──────×─#───────────────────+──────────┬─────────▶ c   #
                  │                     │ #       tanh
                  │                     │          │
                  │          ┌──────────× #        ×─────────▶ h   #
              f #        i #        g #        o #
                  σ          σ         tanh        σ
               #          #          #          #
h   #       ─┬────┴──────────┴──────────┴──────────┘
x   #       ─┘"""


def test_an_lstm_looks_as_in_the_tutorials() -> None:
    assert text_of(picture(CELLS["lstm"], ROOMIEST)) == OLAHS


CHOS = """\
h   #       ─┬───────────────×─#────────────────+─────────▶ h   #
             │               │               #
             │               ├────────── 1− ────×
             │               │              n #
             │               │       ┌─────────tanh
             │    ┌──────────│───────×       #
             │r #        z #         │          │
             │    σ          σ       │          │
             │ #          #         R_n #       │
             └────┼──────────┼───────┘          │
x   #       ──────┴──────────┴──────────────────┘"""


def test_a_gru_resets_the_recurrent_part_of_its_candidate() -> None:
    assert text_of(picture(CELLS["gru"], ROOMIEST)) == CHOS


def test_a_peephole_leads_from_c_to_the_gates() -> None:
    text = text_of(picture(CELLS["lstm_peephole"], ROOMIEST))
    assert text.count("└────σ") == 3
    assert "─────+─────┬────┬───" in text, "the output gate sees the new c"


def wired(cell: Cell, form: Form) -> Wires:
    """The wires of a cell, with as much room as they need."""
    graph = Graph(nodes_of(cell, projected=False), cell.states)
    for gap, tracks in SPREADS:
        place = Placement(graph, Columns(graph), form.stacked, gap, tracks=form.tracks + tracks)
        with suppress(NoRoute):
            return Wires(place)
    raise NoRoute


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
@pytest.mark.parametrize("form", FORMS)
def test_every_operation_is_wired_to_what_it_reads_and_to_nothing_else(cell: Cell, form: Form) -> None:
    wires = wired(cell, form)
    place, graph = wires.placement, wires.placement.graph
    for at, node in enumerate(graph.nodes):
        if node.kind == "source":
            continue
        x, y = place.text_at[at]
        foot = set(place.stem(at))
        nets = {net for net in wires.arms.get((x, y), {}) if net not in (at, -1 - at)}
        if y - 1 >= 0 and not any(row == y - 1 for row in place.bus.values()):
            assert nets == set(node.reads) - foot, node
        for source, row in place.bus.items():
            if foot and source not in place.merged:
                lowest = min(place.bus[place.merged.get(s, s)] for s in foot)
                reads = source in {place.merged.get(s, s) for s in foot}
                assert ((x, row) in wires.joints) == (reads and row >= lowest), (node, source)


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
@pytest.mark.parametrize("form", FORMS)
def test_a_wire_is_one_piece_and_ends_at_operations(cell: Cell, form: Form) -> None:
    wires = wired(cell, form)
    for net in {net for nets in wires.arms.values() for net in nets if net >= 0}:
        cells = {cell for cell, nets in wires.arms.items() if net in nets}
        seen, edge = set(), [min(cells)]
        while edge:
            here = edge.pop()
            seen.add(here)
            for arm in wires.arms[here][net]:
                there = (here[0] + STEPS[arm][0], here[1] + STEPS[arm][1])
                others = wires.arms.get(there, {})
                back = {other for other, arms in others.items() if OPPOSITE[arm] in arms}
                assert net in back or there in wires.placement.spots or here in wires.joints, (net, here)
                edge += [there] if net in back and there not in seen else []
        assert cells == seen


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
@pytest.mark.parametrize("size", [SMALLEST, ROOMIEST])
@pytest.mark.parametrize("ascii", [False, True])
def test_every_quantity_has_its_name_and_room_for_its_number(
    cell: Cell, size: tuple[int, int], ascii: bool
) -> None:
    drawing, nodes = picture(cell, size, ascii=ascii), nodes_of(cell, projected=False)
    text = text_of(drawing)
    runs = [run for row in drawing.rows for run in row]
    assert text.isascii() or not ascii
    for at, node in enumerate(nodes):
        own = [run for run in runs if run.node == at]
        if node.name:
            assert any(run.part in ("label", "new") and node.name in run.text for run in own), node
            assert any(run.part == "value" for run in own), node
        if node.before:
            assert any(run.part == "before" for run in own), node
    assert {nodes[run.node].stage for run in runs if run.part == "old"} == {
        node.stage for node in nodes if node.kind == "source"
    }


def test_it_fits_beside_the_lanes_of_a_usual_terminal() -> None:
    for name in (
        "rnn_tanh",
        "lstm",
        "lstm_peephole",
        "lstm_coupled",
        "gru",
        "gru_reset_before",
        "mingru",
        "janet",
    ):
        drawing = picture(CELLS[name], (50, 14))
        assert (drawing.width <= 50, drawing.height <= 14) == (True, True), name
