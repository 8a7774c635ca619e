"""The laws of state on the selected model: what holds, what is broken and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lstmtui.analysis.laws import BROKEN, HELD, LawResult
from lstmtui.printable import printable
from lstmtui.tui.chosen_line import ChosenLine, mark
from lstmtui.tui.screens.dialog import Dialog, write_border
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines


class LawsScreen(ChosenLine, Dialog[tuple[str, ...]]):
    """A line for each law; it is left with the commands that lead to the place of the chosen law, or none.

    Args:
        look: what the terminal can show.
        model: whose laws they are.
        results: one for each law.
    """

    DEFAULT_CSS = """
    LawsScreen { align: center middle; }
    LawsScreen > Vertical { width: 96%; max-width: 130; height: 94%; border: round $border; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket,down,j", "choose(1)", "the next law"),
        Binding("left_square_bracket,up,k", "choose(-1)", "the law before"),
        Binding("e,enter", "follow", "go to where it is broken"),
    ]

    def __init__(self, look: Look, model: str, results: Sequence[LawResult]) -> None:
        super().__init__()
        self.model, self.results = model, results
        self.text = TextLines(look, wraps=True)
        self.chosen = next((n for n, result in enumerate(results) if result.broken), 0)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            write_border(box, self.text.look, f" Laws of {self.model} ", " [ ] choose  e goes there  esc ")
            yield self.text

    def on_mount(self) -> None:
        """Write the lines."""
        self.draw_choices()

    @property
    def choices(self) -> int:
        return len(self.results)

    def draw_choices(self) -> None:
        self.text.set_lines(
            law_line(result, chosen=n == self.chosen) for n, result in enumerate(self.results)
        )
        self.text.scroll_to_line(self.chosen)

    def action_follow(self) -> None:
        """Go to the place of the chosen law; one that is not broken has none."""
        commands = commands_to(self.results[self.chosen]) if self.results else ()
        if commands:
            self.dismiss(commands)


def law_line(result: LawResult, *, chosen: bool) -> Spans:
    """Status and name, the sentence, the place, and what else was seen."""
    role = {BROKEN: "error", HELD: "muted"}.get(result.status, "warning")
    where: Spans = ()
    if result.broken and result.place is not None:
        where = (("; first at ", "muted"), (printable(str(result.place)), "key"))
    notes: Spans = ((printable("; " + "; ".join(result.notes)), "muted"),) if result.notes else ()
    return (
        mark(chosen=chosen),
        (f"{result.status:10} ", role),
        (f"{result.name:10} ", "accent"),
        (printable(result.text), "text" if result.broken else "muted"),
        *where,
        *notes,
    )


def commands_to(result: LawResult) -> tuple[str, ...]:
    """The commands that select the place which breaks a law, as far as it has one in the recorded run."""
    place = result.place
    if not result.broken or place is None:
        return ()
    parts = (
        ("layer", place.layer),
        ("direction", place.direction or None if place.layer is not None else None),
        ("batch", place.batch),
        ("unit", place.unit if place.layer is not None else None),
        ("goto", place.t if place.t is not None and place.t >= 0 else None),
    )
    return tuple(f"{verb} {value}" for verb, value in parts if value is not None)
