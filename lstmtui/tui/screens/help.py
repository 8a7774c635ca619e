"""Keys and glossary, or a topic of the reference."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.events import Resize

from lstmtui.cells import CELLS
from lstmtui.cells.glossary import GLOSSARY
from lstmtui.help import TOPICS
from lstmtui.help.page import page_lines
from lstmtui.tui.keys import KEYS, label
from lstmtui.tui.screens.page import PageScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans


class HelpScreen(PageScreen):
    """Keys and glossary, or a topic.

    Args:
        look: what the terminal can show.
        topic: one of the reference's; left out: keys, glossary, and the list of topics.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1", "leave", "back")]

    def __init__(self, look: Look, topic: str | None = None) -> None:
        super().__init__(look, "Help")
        self.topic = topic

    def on_mount(self) -> None:
        """Write the page."""
        if self.topic is None:
            self.show_lines(help_lines(self.look))

    @on(Resize)
    def _lay_out(self) -> None:
        """Lay the topic out in the width there is."""
        if self.topic is not None:
            self.show_lines(page_lines(self.topic, max(_NARROWEST, self.text.size.width)))


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
