"""Where everything stands on the screen, worked out from what is selected before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.cells import cell_len
from textual.geometry import Size

from lstmtui.session import Session
from lstmtui.tui.panels.cell_picture import CellPicturePanel
from lstmtui.tui.panels.lane import Lane, LanePlace
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import LANES, PanelSet
from lstmtui.tui.panels.time_axis import GUTTER, AxisPlace
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.panels.weights import WeightsPanel
from lstmtui.tui.parts.places import (
    LaneNeed,
    LaneRows,
    bars_margin,
    lane_rows,
    rows_below,
    side_rows,
    side_width,
)

WATCHES, NOTES, VALUES = 7, 8, 9
"""The panels beside the lanes, below that in front."""
_BY_IMPORTANCE = (1, 2, 4, 3, 6)
"""Lanes: the last ones give way."""
_WIDEST_GUTTER = 15
_LEAST_WIDTH = 70
"""Columns from which on watches stand beside the equations below the lanes."""
_CORNER = (NOTES, WATCHES, VALUES)
"""The panel that names what has no room: the first of these that is on screen, else that in front."""


@dataclass(frozen=True)
class Plan:
    """The place of each panel that is on screen. Screens of equal plans are laid out alike."""

    axis: AxisPlace
    """What the lanes share."""
    lanes: Mapping[int, LanePlace] = field(default_factory=dict)
    """Those on screen, by number."""
    lanes_size: tuple[int, int] = (0, 0)
    """Columns and rows of all of them, with the ruler."""
    beside: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Columns and rows of other panels."""
    beside_size: tuple[int, int] = (0, 0)
    """Columns and rows of all of these."""
    is_stacked: bool = False
    """Whether they stand below the lanes, side by side; else beside the lanes, one below the other."""
    zoomed: int | None = None
    """The panel that has all of the screen."""
    unplaced: tuple[int, ...] = ()
    """The panels that have no room."""
    corner: int | None = None
    """The panel that says so."""

    def places(self, number: int) -> bool:
        """Whether a panel has a place in this plan."""
        return number in self.lanes or number in self.beside or number == self.zoomed


def make_plan(session: Session, panels: PanelSet, size: Size, zoomed: Panel | None, front: int) -> Plan:
    """The plan for what is selected.

    Args:
        session: whose cell says what there is to show.
        panels: all there are.
        size: columns and rows for all of them.
        zoomed: the panel that has all of the screen.
        front: which of the panels that share a place has it.
    """
    width, height = size
    is_code = session.layer.source is not None
    side = side_width(width, is_code=is_code)
    margin, gutter = bars_margin(width), _gutter(session, panels)
    axis = AxisPlace.within(width if zoomed else width - side, width - side, gutter, margin)
    if zoomed is not None:
        is_lane = isinstance(zoomed, Lane)
        return Plan(
            axis,
            _lanes(session, panels, [zoomed.NUMBER], height - 1) if is_lane else {},
            size if is_lane else (0, 0),
            {} if is_lane or zoomed.ALONE else {zoomed.NUMBER: size},
            (0, 0) if is_lane or zoomed.ALONE else size,
            zoomed=zoomed.NUMBER,
        )
    fitting = [number for number in panels.fitting(session) if not panels[number].ALONE]
    stages = len(session.cell.stages)
    below = 0 if side else rows_below(height, 7 if is_code else stages)
    lanes = _lanes(session, panels, [n for n in LANES if n in fitting], height - below - 1)
    if side:
        edits = session.what_ifs.edits if session.what_ifs else ()
        lines = len(session.watches) + len(edits) + len(session.breakpoints)
        top = panels[front]
        # An equation has a line of symbols, and numbers that may take two; code scrolls.
        wanted = height // 2 if is_code or isinstance(top, WeightsPanel) else 2 + stages * 3 + 1
        wanted = top.rows_wanted(session, side) if isinstance(top, CellPicturePanel) else wanted
        rows = zip((front, VALUES, WATCHES, NOTES), side_rows(height, wanted, lines), strict=True)
        beside = {number: (side, count) for number, count in rows}
    else:
        right = round(width * 2 / 5) if width >= _LEAST_WIDTH else 0
        beside = {front: (width - right, below), WATCHES: (right, below)}
    beside = {number: extent for number, extent in beside.items() if min(extent) > 0}
    return Plan(
        axis,
        lanes,
        (width - side, height if side else height - below),
        beside,
        (side or width, height if side else below),
        is_stacked=not side,
        unplaced=tuple(number for number in fitting if number not in lanes and number not in beside),
        corner=next((number for number in _CORNER if number in beside), front),
    )


def _lanes(session: Session, panels: PanelSet, numbers: list[int], room: int) -> dict[int, LanePlace]:
    """The places of lanes in so many rows, from top to bottom; what a lesson is about has its place first."""
    lanes = {n: lane for n in numbers if isinstance(lane := panels[n], Lane)}
    needs = {number: _need(lane, session) for number, lane in lanes.items()}
    marked = [number for number in numbers if panels[number].is_marked]
    rows = lane_rows(needs, max(0, room), tuple(dict.fromkeys((*marked, *_BY_IMPORTANCE))))
    return {number: _place(lanes[number], rows[number], session) for number in numbers if number in rows}


def _place(lane: Lane, rows: LaneRows, session: Session) -> LanePlace:
    names = lane.chosen(session, rows.content) if isinstance(lane, TimelinePanel) else ()
    return LanePlace(rows.content + rows.below, rows.head, tuple(names), rows.below)


def _need(lane: Lane, session: Session) -> LaneNeed:
    """What a lane has to show."""
    if not isinstance(lane, TimelinePanel):
        return LaneNeed(0)
    quantities = lane.quantities(session)
    units = max(session.layer.size(quantity) for quantity in quantities)
    per_line = 2 if lane.look.half_blocks else 1
    is_code = session.layer.source is not None
    return LaneNeed(len(quantities), -(-units // per_line), is_code, lane.rows_below(session))


def _gutter(session: Session, panels: PanelSet) -> int:
    """The columns of labels: names of recorded code may need more."""
    names = [
        name
        for number in LANES
        if isinstance(panel := panels[number], TimelinePanel)
        for name in panel.quantities(session)
    ]
    return max(GUTTER, min(max(map(cell_len, names), default=0) + 2, _WIDEST_GUTTER))
