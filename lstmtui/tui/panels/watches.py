"""Panel 7: watches with their values at this timestep, the what-ifs, and the breakpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from lstmtui.arrays import Array
from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.expressions.at_cursor import NoValue, unbound_text
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.breakpoints import Breakpoint
from lstmtui.session.watches import Watched
from lstmtui.trace.edits import Edit
from lstmtui.tui.chosen_line import ChosenLine, mark
from lstmtui.tui.panels.hiding import MARK, is_hidden
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines

Entry: TypeAlias = Watched | Edit | Breakpoint

MOST_UNITS = 6
"""So many units of a vector are written out; one more says that there are more."""


class WatchesPanel(ChosenLine, Panel):
    """What the user watches. With the focus here, [ and ] choose a line, x deletes, e switches."""

    NUMBER = 7
    TITLE = "Watches and breakpoints"
    HELP = "[ ] choose, x deletes, e enables and disables. w watches an expression, b breaks."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "choose(1)", "the next line", show=False),
        Binding("left_square_bracket", "choose(-1)", "the line before", show=False),
        Binding("x,delete", "remove", "delete", show=False),
        Binding("e", "switch", "enable or disable", show=False),
    ]

    class Asked(Message):
        """A command for what was chosen: "delete 1", "unwatch 2", "disable 1"."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.lines = TextLines(look)
        self.notation = ASCII if look.ascii else UNICODE
        self._entries: list[Entry] = []
        self._hidden: set[int] = set()
        """The numbers of the watches that read what is hidden."""
        self._losses: Sequence[Spans] = ()
        """What gradients are taken of in place of a loss."""

    def compose(self) -> ComposeResult:
        yield self.lines

    def show(self, session: Session) -> None:
        edits = session.what_ifs.edits if session.what_ifs else ()
        watched = session.watches.at_cursor(session.view, MOST_UNITS + 1)
        self._hidden = {watch.id for watch in watched if is_hidden(watch, session)}
        self._entries = [*watched, *edits, *session.breakpoints]
        self._losses = loss_lines(session)
        self.chosen = min(self.chosen, max(0, len(self._entries) - 1))
        self.draw_choices()

    @property
    def choices(self) -> int:
        return len(self._entries)

    def draw_choices(self) -> None:
        self._draw(self.has_focus)

    def _draw(self, focused: bool) -> None:
        if not self._entries and not self._losses:
            self.lines.set_lines(
                [
                    (
                        ("none yet: ", "muted"),
                        ("w", "key"),
                        (" watch   ", "muted"),
                        ("b", "key"),
                        (" break", "muted"),
                    )
                ]
            )
            return
        lines = []
        for at, entry in enumerate(self._entries):
            if isinstance(entry, Watched) and entry.id in self._hidden:
                line = hidden_watch_line(entry.text)
            else:
                line = entry_line(entry, self.notation)
            lines.append((mark(chosen=at == self.chosen and focused), *line))
        self.lines.set_lines([*lines, *self._losses])
        self.lines.scroll_to_line(self.chosen)

    @property
    def chosen_entry(self) -> Entry | None:
        """What is on the chosen line."""
        return self._entries[self.chosen] if self._entries else None

    def on_focus(self) -> None:
        """Show which line is chosen; `has_focus` is set only after this."""
        self._draw(True)

    def on_blur(self) -> None:
        """No line is chosen."""
        self._draw(False)

    def action_remove(self) -> None:
        """Delete what is chosen."""
        if self._entries:
            entry = self._entries[self.chosen]
            verbs = {Watched: "unwatch", Edit: "unset", Breakpoint: "delete"}
            self.post_message(self.Asked(f"{verbs[type(entry)]} {entry.id}"))

    def action_switch(self) -> None:
        """Enable or disable the chosen breakpoint."""
        if self._entries and isinstance(entry := self._entries[self.chosen], Breakpoint):
            self.post_message(self.Asked(f"{'disable' if entry.enabled else 'enable'} {entry.id}"))


def entry_line(entry: Entry, notation: Notation) -> Spans:
    """A watch, a what-if or a breakpoint on one line."""
    if isinstance(entry, Watched):
        return watch_line(entry, notation)
    if isinstance(entry, Edit):
        return (("what if ", "warning"), (f"{entry.id} ", "muted"), (f"{entry}  {entry.model}", "text"))
    return breakpoint_line(entry)


def loss_lines(session: Session) -> list[Spans]:
    """What the gradients of each model are of, where that is not its loss."""
    if session.what_ifs is None:
        return []
    several = len(session.traces) > 1
    return [
        (
            ("  loss ", "warning"),
            (f"{printable(session.what_ifs.runs[model].header.loss_text)}", "text"),
            (f"  {model}" if several else "", "text"),
            ("  reset: as recorded", "muted"),
        )
        for model in session.what_ifs.losses
    ]


def watch_line(watched: Watched, notation: Notation) -> Spans:
    """A watch with its value, or why it has none here."""
    result = watched.result
    if isinstance(result, NoValue):
        return ((watched.text, "text"), (f"  {result.error}", "warning"))
    if result.unbound:
        return ((watched.text, "text"), (f"  {unbound_text(result.unbound)}", "muted"))
    return ((watched.text, "text"), (" = ", "sign"), (short_value(result.value, notation), "number"))


def hidden_watch_line(text: str) -> Spans:
    """A watch whose value is hidden."""
    return ((text, "text"), (" = ", "sign"), (MARK, "warning"))


def breakpoint_line(point: Breakpoint) -> Spans:
    """A breakpoint: whether it is enabled, where or when it stops, and how often it was hit already."""
    sign = ("● ", "breakpoint") if point.enabled else ("○ ", "muted")
    what = f"t = {point.t}" if point.when is None else point.when.text
    note = f'  says "{point.note}"' if point.note else ""
    hits = f"  {point.hits}×" if point.hits else ""
    return (sign, (f"{point.id} ", "muted"), (what, "text"), (note + hits, "muted"))


def short_value(value: float | bool | Array, notation: Notation) -> str:
    """A value on one line; of a vector the first units."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.ndarray):
        shown = ", ".join(short_value(v, notation) for v in value[:MOST_UNITS])
        return f"[{shown}{', …' if len(value) > MOST_UNITS else ''}]"
    return notation.number(float(value))
