"""Panel 1: the input sequence, the target and the output over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from lstmtui.analysis.reads import reads, reads_summaries
from lstmtui.analysis.signal import Line, Signal, TokenRow, signal, signal_at
from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.session import Session
from lstmtui.tui.compat import lay_out
from lstmtui.tui.panels.hiding import without_hidden
from lstmtui.tui.panels.lane import Lane, LanePlace
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.lane_head import Key
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.series import Series, distinct, legends
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.tui.widgets.tokens import TokenStrip
from lstmtui.view.query import together

MOST_ROWS = 4
_LEGIBLE = 8
"""Characters of a name that tell it from others."""
_NOTHING = "Sequence: no x, target or y over time"
_LONGEST_NAME = 16
"""Of a line, before its number."""


class _TokenLine(Horizontal):
    """A row of tokens with its name."""

    DEFAULT_CSS = "_TokenLine { height: 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.label, self.strip = StatusLine(look), TokenStrip(look)

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.strip

    def show(self, row: TokenRow, wrong: tuple[bool, ...], axis: TimeAxis) -> None:
        """Draw the tokens; those that are wrong in the colour of warnings."""
        role = "muted" if row.name == "target" else row.name
        self.label.set_spans([(row.name, role)])
        roles = ["warning" if bad else role for bad in wrong]
        self.strip.set_tokens(row.tokens, axis.columns, roles)


class SequencePanel(Lane):
    """Lines for numbers, a row of characters for tokens."""

    NUMBER = 1
    TITLE = "Sequence"
    HELP = "The input x, the target, and the model's output y. ▼ on the ruler is the timestep you are at."

    def __init__(self, look: Look) -> None:
        self.tokens = [_TokenLine(look) for _ in range(MOST_ROWS)]
        self.plot = LinePlot(look)
        self._series: Sequence[Series] = ()
        self._summaries: Sequence[str] = ()
        """What the loss reads, in words; some forms, the longest first."""
        super().__init__(look)

    def contents(self) -> Sequence[Widget]:
        return (*self.tokens, self.plot)

    def take_place(self, place: LanePlace, session: Session) -> None:
        """Take so many rows, and let labels end where those of all lanes end."""
        super().take_place(place, session)
        for line in self.tokens:
            line.label.styles.width = self.axis.gutter

    def shows(self, session: Session, quantity: str) -> bool:
        return quantity in ("x", "y")

    def show(self, session: Session) -> None:
        cursor, axis = session.cursor, self.axis
        if axis.plot <= 0:
            return
        page, runs = axis.page, (id(session.trace), id(session.other))
        is_new = self.changed(cursor.model, cursor.batch, page, axis.columns, axis.gutter, runs)
        shown, read, now = together(
            lambda: overlaid(session, axis, self.look) if is_new else None,
            lambda: reads(session.view) if is_new else None,
            lambda: signal_at(session.view),
        )
        if shown is not None:
            self._draw(shown)
            self._summaries = reads_summaries(read, session.trace.header.look_ahead)
            self.set_title(self.TITLE if shown.lines or shown.rows or session.unseen else _NOTHING)
            self.drawn()
        self._write_keys([line for line in now if line.quantity not in session.unseen])
        self.show_cursor(session)

    def _draw(self, shown: Signal) -> None:
        self._make_room(len(shown.rows), has_lines=bool(shown.lines))
        has_target = any(row.name == "target" for row in shown.rows)
        for at, line in enumerate(self.tokens):
            if line.display:
                row = shown.rows[at]
                wrong = row.wrong if has_target and row.name == "y" else ()
                line.show(row, wrong or (False,) * len(row.tokens), self.axis)
        self._series = series = distinct([_series(line, at) for at, line in enumerate(shown.lines)])
        columns, scales = self.axis.columns, {(line.shift, line.scale) for line in shown.lines}
        shift, scale = scales.pop() if len(scales) == 1 else (0.0, 1.0)
        self.plot.set_series(
            series,
            self.axis.plotted,
            columns,
            gutter=self.axis.gutter,
            legend=False,
            shift=shift,
            scale=scale,
        )

    def _write_keys(self, now: Sequence[Line]) -> None:
        """Which line is what, with the numbers of this timestep where there is room for them."""
        forms = legends(self._series, self.look) or ((),)
        # Names that can be told apart come before what else there is to say.
        legible = legends(self._series, self.look, least=_LEGIBLE) or forms
        numbers = [f for brief in (False, True) for f in self._numbered(now, brief=brief)]

        def with_summaries(keys: Sequence[Key]) -> list[Key]:
            return [(*key, ("  " + text, "muted")) for text in self._summaries for key in keys]

        # The numbers of the data are seen nowhere else.
        normalised = numbers if any((line.shift, line.scale) != (0.0, 1.0) for line in now) else ()
        self.set_keys(
            *with_summaries(numbers),
            *normalised,
            *with_summaries(legible),
            *numbers,
            *legible,
            *with_summaries(forms),
            *forms,
        )

    def _numbered(self, now: Sequence[Line], *, brief: bool) -> Sequence[Key]:
        """The legend with numbers: those of the data, and unless it is brief the normalised ones beside."""
        notation = ASCII if self.look.ascii else UNICODE
        at = {line.name: _number(line, notation, brief=brief) for line in now}
        named = [
            replace(s, name=f"{s.name[:_LONGEST_NAME]} {at.get(s.name, '')}".rstrip()) for s in self._series
        ]
        return legends(named, self.look)[:2] if any(at.values()) else ()

    def _make_room(self, rows: int, *, has_lines: bool) -> None:
        """Show so many rows of tokens, and the plot where it has lines."""
        shown = {self.plot: has_lines} | {line: at < rows for at, line in enumerate(self.tokens)}
        if any(widget.display != is_shown for widget, is_shown in shown.items()):
            for widget, is_shown in shown.items():
                widget.display = is_shown
            lay_out(self.screen)


def overlaid(session: Session, axis: TimeAxis, look: Look) -> Signal:
    """The signal, with the output of what the run is held against over it."""
    page, other = axis.page, session.other
    whole = (page.per_column, axis.plotted, axis.pixels(look), axis.columns.used)
    shape = whole if page.per_column > 1 else ()
    if other is None:
        return without_hidden(session, signal(session.view, page.start, page.stop, *shape))
    mirror = session.view.fitted_to(other)
    shown, theirs = together(
        lambda: signal(session.view, page.start, page.stop, *shape),
        lambda: signal(mirror, page.start, max(page.start, min(page.stop, other.steps)), *shape),
    )
    shown, theirs = without_hidden(session, shown), without_hidden(session, theirs)
    whose = "as recorded" if other is session.baseline else other.name
    lines = [
        replace(line, name=f"{line.name} {whose}", quantity="other")
        for line in theirs.lines
        if line.quantity == "y"
    ]
    rows = [replace(row, name=f"{row.name} {whose}") for row in theirs.rows if row.name == "y"]
    return Signal((*shown.lines, *lines), (*shown.rows, *rows)[:MOST_ROWS])


def _number(line: Line, notation: Notation, *, brief: bool) -> str:
    """The line's one number: as it is in the data, and behind it as the run has seen it."""
    if line.absent[0]:
        return ""
    value = float(line.values[0])
    own = notation.number(value * line.scale + line.shift)
    return own if brief or (line.shift, line.scale) == (0.0, 1.0) else f"{own} ({notation.number(value)})"


def _series(line: Line, at: int) -> Series:
    roles = {"target": "muted", "y": "y", "other": "series1"}
    role = roles.get(line.quantity, f"series{at % 6}")
    return Series(line.name, line.values if line.plot is None else line.plot, at, role, absent=line.absent)
