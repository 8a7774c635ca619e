"""Which panels have a place on the screen: all that fit the cell, or one alone."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from textual.screen import Screen

from lstmtui.session import Outcome, Session
from lstmtui.tui.panels.cell_picture import CellPicturePanel
from lstmtui.tui.panels.gates import GatesPanel
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import LANES, SHARED, PanelSet
from lstmtui.tui.panels.time_axis import GUTTER
from lstmtui.tui.panels.timeline import TimelinePanel
from lstmtui.tui.parts.places import LaneNeed, bars_margin, lane_rows, side_width

_WIDEST_GUTTER = 15
_SCROLLING = {
    *(("run", verb) for verb in ("into", "out", "first", "last")),
    *(("page", pages) for pages in (1, -1)),
}
"""What keys do that scroll a panel which scrolls."""


class Arrangement:
    """Gives panels their places, and one of them the focus.

    Args:
        session: whose cell says which panels there are.
        screen: what they stand on.
        panels: all there are.
        redraw: called when panels have other places.
        tell: is told what cannot be done.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        panels: PanelSet,
        redraw: Callable[[], None],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._session, self._screen, self._panels = session, screen, panels
        self._redraw, self._tell = redraw, tell
        self.zoomed: Panel | None = None
        """The panel that has the whole screen."""
        self._in_front = SHARED[0]
        """Which of the panels that share a place has it."""
        self._arranged = self._layer()

    def arrange(self) -> None:
        """Give every panel that fits the cell its place, or the whole screen to the zoomed one."""
        self._arranged = self._layer()
        for panel in self._panels.values():
            others = (panel,) if panel.ALONE else (None, panel)
            is_behind = panel.NUMBER in SHARED and self._in_front != panel.NUMBER and panel is not self.zoomed
            is_gone = not panel.fits(self._session) or self.zoomed not in others or is_behind
            panel.set_class(is_gone, "-gone")
        self._place_lanes()
        for box in self._screen.query("#middle, #lanes, #side"):
            box.set_class(all(panel.has_class("-gone") for panel in box.query(Panel)), "-gone")
        self._screen.set_class(self.zoomed is not None, "-zoomed")
        self._screen.call_after_refresh(self._redraw)

    def _place_lanes(self) -> None:
        """Give lanes and what stands beside or below them their columns and rows."""
        session, panels, zoomed = self._session, self._panels, self.zoomed
        width, height = self._screen.query_one("#middle").size
        is_code = session.layer.source is not None
        side = side_width(width, is_code=is_code)
        middle, lanes = self._screen.query_one("#middle"), self._screen.query_one("#lanes")
        middle.set_class(not side, "-stacked")
        self._screen.query_one("#side").styles.width = "1fr" if zoomed or not side else side
        gutter = self._gutter()
        margin = bars_margin(width)
        panels.axis.fit(width if zoomed else width - side, width - side, gutter, margin)
        below = 0 if side or zoomed else self._rows_below(height)
        needs = {
            number: _need(panel, session, self._screen)
            for number in LANES
            if isinstance(panel := panels[number], Lane) and not panel.has_class("-gone")
        }
        marked = [number for number in LANES if panels[number].is_marked]
        order = tuple(dict.fromkeys((*marked, 1, 2, 4, 3, 6)))
        rows = lane_rows(needs, max(0, height - below - 1), order)
        lanes.styles.height = "1fr" if side or zoomed else sum(lane.rows for lane in rows.values()) + 1
        for number in needs:
            lane = panels[number]
            assert isinstance(lane, Lane)
            lane.set_class(number not in rows, "-gone")
            if number in rows:
                lane.styles.height = rows[number].rows
                lane.show_head(rows[number].head)
        self._place_side(height if side else below, bool(side))
        self._name_hidden()

    def _place_side(self, height: int, is_beside: bool) -> None:
        """Step has what its equations need, then Values and Notes what Step and Watches leave."""
        panels = self._panels
        if self.zoomed is not None:
            self.zoomed.styles.height = (
                "1fr" if not isinstance(self.zoomed, Lane) else self.zoomed.styles.height
            )
            return
        front = panels[self._in_front]
        if not is_beside:
            front.styles.height = "1fr"
            for number in (8, 9):
                panels[number].add_class("-gone")
            if self._screen.size.width < 70:
                panels[7].add_class("-gone")
            return
        wanted = self._rows_wanted(front, height)
        front.styles.height = max(5, min(wanted, height - 14 if height > 22 else height - 9))
        panels[9].styles.height = "3fr"
        panels[8].styles.height = "2fr"

    def _rows_wanted(self, front: Panel, height: int) -> int:
        """The rows of the panel above the others beside the lanes, which are so high together."""
        if isinstance(front, CellPicturePanel):
            width = side_width(self._screen.size.width, is_code=self._session.layer.source is not None)
            return front.rows_wanted(self._session, width)
        if self._session.layer.source is not None:
            return height // 2
        # An equation has a line of symbols, and numbers that may take two.
        return 2 + len(self._session.cell.stages) * 3 + 1

    def _name_hidden(self) -> None:
        """Name what has no room on the panel in the corner."""
        panels = self._panels
        hidden = [
            number
            for number in panels.fitting(self._session)
            if panels[number].has_class("-gone") and not panels[number].ALONE
        ]
        corner = next((n for n in (8, 7, 9, *SHARED) if not panels[n].has_class("-gone")), None)
        keys = [panels[number].key for number in hidden]
        for number, panel in panels.items():
            panel.name_hidden(keys if number == corner and self.zoomed is None else ())

    @property
    def _is_beside(self) -> bool:
        """Whether numbers stand beside the lanes."""
        return not self._screen.query_one("#middle").has_class("-stacked")

    def _rows_below(self, height: int) -> int:
        """The rows of the equations where they stand below the lanes."""
        stages = 7 if self._session.layer.source is not None else len(self._session.cell.stages)
        return min(2 + stages, height // 2 - 1) if height >= 8 else 0

    def _gutter(self) -> int:
        """The columns of labels: names of recorded code may need more."""
        names = [
            name
            for number in LANES
            if isinstance(panel := self._panels[number], TimelinePanel)
            for name in panel.quantities(self._session)
        ]
        return max(GUTTER, min(max(map(cell_len, names), default=0) + 2, _WIDEST_GUTTER))

    def follow_selection(self) -> None:
        """Arrange again where another layer is selected, whose cell may need other panels."""
        if self._layer() != self._arranged:
            self.arrange()

    def focus(self, number: int) -> None:
        """Focus a panel by number; one that has no room on this screen takes all of it."""
        panel = self._panels.get(number)
        if panel is None or not panel.fits(self._session):
            keys = ", ".join(self._panels[number].key for number in self._panels.fitting(self._session))
            self._tell(Outcome(False, f"no panel {number} here; there are {keys}"))
            return
        if number in SHARED and number != self._in_front and self.zoomed is None and self._is_beside:
            self._in_front = number
            self.arrange()
        elif self.zoomed not in (None, panel) or not panel.on_screen:
            self.zoomed = panel
            self.arrange()
        panel.focus(scroll_visible=False)

    def focus_by(self, by: int) -> None:
        """Focus the next panel on screen, or the one before."""
        numbers = self._panels.on_screen()
        if self.zoomed is not None or not numbers:  # a terminal of a few cells has room for none
            numbers = self._panels.fitting(self._session)
        now = self.focused_number
        if now is None:
            now = numbers[-1] if by > 0 else numbers[0]
        at = numbers.index(now) if now in numbers else 0
        self.focus(numbers[(at + by) % len(numbers)])

    @property
    def focused_number(self) -> int | None:
        """The number of the panel with the focus."""
        return getattr(self._screen.focused, "NUMBER", None)

    def is_scrolled_by(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether a key scrolls the panel with the focus, instead of moving the cursor."""
        focused = self._screen.focused
        is_scrolling = (action, *parameters) in _SCROLLING
        return is_scrolling and isinstance(focused, Panel) and focused.SCROLLS

    def zoom(self) -> None:
        """Give the focused panel the whole screen, or all panels their places again."""
        if self.zoomed is not None:
            if self.zoomed.ALONE:
                self._screen.set_focus(None)
            self.zoomed = None
        else:
            focused = self._screen.focused
            self.zoomed = focused if isinstance(focused, Panel) else self._panels.of_kind(GatesPanel)
            self.zoomed.focus(scroll_visible=False)
        self.arrange()

    def _layer(self) -> tuple[str, int, str]:
        cursor = self._session.cursor
        return cursor.model, cursor.layer, cursor.direction


def _need(lane: Lane, session: Session, screen: Screen[None]) -> LaneNeed:
    """What a lane has to show."""
    bands = lane.bands(session)
    if not bands:
        return LaneNeed(0)
    assert isinstance(lane, TimelinePanel)
    units = max(session.layer.size(quantity) for quantity in lane.quantities(session))
    per_line = 2 if lane.look.half_blocks else 1
    return LaneNeed(bands, -(-units // per_line), session.layer.source is not None)
