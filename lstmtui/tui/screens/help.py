"""Keys and glossary, or a topic of the reference."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Resize

from lstmtui.cells import CELLS
from lstmtui.cells.glossary import GLOSSARY
from lstmtui.help import TOPICS
from lstmtui.help.page import page_lines
from lstmtui.tui.keys import KEYS, label
from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines


class HelpScreen(Dialog[None]):
    """A page that scrolls.

    Args:
        look: what the terminal can show.
        topic: one of the reference's; left out: keys, glossary, and the list of topics.
    """

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical { width: 96%; max-width: 110; height: 94%; border: round $border; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1,enter", "leave", "back"),
        Binding("down,j,space", "scroll(1)", "down"),
        Binding("up,k", "scroll(-1)", "up"),
        Binding("pagedown,right,l", "page(1)", "page down"),
        Binding("pageup,left,h", "page(-1)", "page up"),
        Binding("home", "scroll(-10000)", "top"),
        Binding("end", "scroll(10000)", "end"),
    ]

    def __init__(self, look: Look, topic: str | None = None) -> None:
        super().__init__()
        self.look, self.topic = look, topic
        self.text = TextLines(look, wraps=True)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            title = " Help: up and down to scroll, Esc to go back "
            box.border_title = title
            yield self.text

    def on_mount(self) -> None:
        """Write the page."""
        if self.topic is None:
            self.text.set_lines(help_lines(self.look))

    @on(Resize)
    def _lay_out(self) -> None:
        """Lay the topic out in the width there is."""
        if self.topic is not None:
            self.text.set_lines(page_lines(self.topic, max(_NARROWEST, self.text.size.width)))

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.text.scroll_to_row(self.text.top + rows)

    def action_page(self, pages: int) -> None:
        """Scroll by most of the height."""
        self.action_scroll(pages * max(1, self.text.size.height - 2))


_NARROWEST = 20
"""Columns that a topic is laid out in at least; where there are fewer, its lines are wrapped once more."""


def help_lines(look: Look) -> list[Spans]:
    """Every key by group, the mouse, the glossary, the cells, the marks, the topics of the reference."""
    lines: list[Spans] = []
    for group in dict.fromkeys(key.group for key in KEYS):
        lines += [((group, "title"),)]
        for key in KEYS:
            if key.group == group:
                keys = label(key, ascii=look.ascii)
                lines.append(((f"  {keys:<22}", "key"), (key.help, "text")))
        lines.append(())
    lines += [
        (("Mouse", "title"),),
        (("  a click on a map, a plot or a ruler goes to that timestep; on a unit, selects it", "text"),),
        (),
        (("Glossary", "title"),),
    ]
    for entry in GLOSSARY:
        also = f"  (also: {entry.also})" if entry.also else ""
        lines.append(((f"  {entry.name:<8}", entry.name), (entry.meaning, "text"), (also, "muted")))
    lines += [(), (("Cells", "title"),)]
    lines += [((f"  {cell.name:<18}", "text"), (cell.summary, "muted")) for cell in CELLS.values()]
    lines += [
        (),
        (("Marks", "title"),),
        (
            (
                "  N  NaN   ^  +inf   v  −inf   0  zero on a log scale; a line is never drawn across them",
                "text",
            ),
        ),
        (("  blank: past the end of a shorter sequence; ·: recorded code did not bind the name", "text"),),
        (),
        (("Reference", "title"),),
    ]
    lines += [((f"  :help {topic:<13}", "key"), (summary, "text")) for topic, summary in TOPICS.items()]
    return lines
