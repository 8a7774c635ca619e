"""What a number is made of: its parts, each of which can be entered, down to the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lstmtui.analysis.why.ledger import Ledger, Part
from lstmtui.cells.notation import ASCII, UNICODE
from lstmtui.printable import printable
from lstmtui.session.asking_why import commands_to
from lstmtui.tui.chosen_line import ChosenLine, mark
from lstmtui.tui.keys import in_words
from lstmtui.tui.screens.dialog import Dialog, write_border
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines

Commands = tuple[str, ...]
_BAR, _LEAST_BAR = 8, 3
"""Columns of the bar of the largest part, and with which fewer there is none."""
_NUMBERS = 24
"""Columns of a part besides its bar and its name: mark, share, amount and arrow."""
_BORDER = 4
"""Columns of the border and of what is left blank beside it."""
_SHARE = 6
_MOST_SHARE, _LEAST_ROWS = 0.62, 8
"""Of the screen's height, where it stands below the lanes; fewer rows show no part."""


class WhyScreen(ChosenLine, Dialog[Commands]):
    """A line for each part; it is left with the commands that ask the next question, or none.

    It stands beside the lanes, or below them where there is less room: they show what is asked about. The
    lines above and below everything stay.

    Args:
        look: what the terminal can show.
        ledger: what is shown.
        hidden_size: of the layer.
        before: the question before, if there is one: the commands that ask it again.
        side: how many columns it has beside the lanes; 0: it stands below them.
    """

    DEFAULT_CSS = """
    WhyScreen { align: right middle; }
    WhyScreen > Vertical { height: 100%; margin: 1 0; border: round $border; padding: 0 1;
                           background: $background; }
    WhyScreen.-narrow { align: center bottom; }
    WhyScreen.-narrow > Vertical { width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket,down,j", "choose(1)", "the next part"),
        Binding("left_square_bracket,up,k", "choose(-1)", "the part before"),
        Binding("e,enter,right,l", "enter_part", "ask about the part"),
        Binding("ctrl+o,backspace,left,h", "back", "the question before"),
        Binding("x", "ablate", "what if the part were not there"),
    ]

    def __init__(
        self, look: Look, ledger: Ledger, before: Commands = (), side: Callable[[], int] = lambda: 0
    ) -> None:
        super().__init__()
        self._side = side
        self.look, self.ledger, self.before = look, ledger, before
        self.text, self.box = TextLines(look, wraps=True), Vertical()
        self._notation = ASCII if look.ascii else UNICODE
        self._bar = 0
        """Columns of the longest bar, as they are drawn."""

    @property
    def hints(self) -> Sequence[tuple[str, str]]:
        back = (("ctrl+o", "back"),) if self.before else ()
        entered = (("↑ ↓", "choose"), ("↵", "ask about it"), ("x", "take it out"))
        return (*(entered if self.ledger.parts else ()), *back, *super().hints)

    def compose(self) -> ComposeResult:
        asked = self.ledger.asked
        place = "" if asked.quantity == "loss" else f" at t={asked.t}"
        keys = f"↵ asks on  x takes out  {'ctrl+o back' if self.before else 'esc'}"
        keys = in_words(keys) if self.look.ascii else keys
        with self.box as box:
            write_border(box, self.look, f" Why {asked.name}{place} ", f" {keys} ")
            yield self.text

    def on_mount(self) -> None:
        """Write the lines."""
        self._take_place()
        self.draw_choices()

    def on_resize(self) -> None:
        """Write them again, as far as there is room."""
        self._take_place()
        self.call_after_refresh(self.draw_choices)

    def _take_place(self) -> None:
        """Stand over the panels beside the lanes, or below these."""
        columns = self._side()
        self.set_class(not columns, "-narrow")
        self.box.styles.width = columns or "100%"

    @property
    def choices(self) -> int:
        return len(self.ledger.parts)

    def draw_choices(self) -> None:
        self._bar = self._bar_width()
        head = list(self._head())
        self.first = len(head)
        self.text.set_lines([*head, *self._parts(), *self._foot()])
        if self.has_class("-narrow"):
            most = max(_LEAST_ROWS, round(_MOST_SHARE * self.size.height))
            self.box.styles.height = min(self.text.row_count + 2, most)
        else:
            self.box.styles.height = "100%"
        self.text.scroll_to_line(self.first + self.chosen if self.chosen else 0)

    def _bar_width(self) -> int:
        """The columns of the longest bar: those that the names of parts leave beside the lanes."""
        if self.ledger.kind != "sum":
            return 0
        widest = max((cell_len(printable(part.text)) for part in self.ledger.parts), default=0)
        side = self._side()
        left = side - _BORDER - _NUMBERS - widest - 1 if side else _BAR
        return min(_BAR, left) if left >= _LEAST_BAR else 0

    def _head(self) -> Iterator[Spans]:
        ledger, number = self.ledger, self._notation.number
        yield (
            (printable(ledger.asked.name), ledger.asked.quantity.rpartition(" ")[2]),
            (f" = {number(ledger.value, 6)}   ", "number"),
            (printable(ledger.equation), "muted"),
        )
        if ledger.of != ledger.asked.name:
            yield ((f"{printable(ledger.of)} = {number(ledger.whole, 6)} is", "text"), *self._how())
        if cancelling := ledger.cancelling_text(self._notation):
            yield ((f"  {cancelling}", "muted"),)
        yield from (((f"! {printable(note)}", "warning"),) for note in ledger.notes)
        if ledger.hint:
            yield ((f"  {printable(ledger.hint)}", "muted"),)

    def _how(self) -> Spans:
        words = {"sum": " the sum of", "product": " the product of", "operands": " of what the line has read"}
        return ((words.get(self.ledger.kind, ""), "muted"),)

    def _parts(self) -> Iterator[Spans]:
        widest = max((cell_len(printable(part.text)) for part in self.ledger.parts), default=0)
        largest = max((abs(p.value) for p in self.ledger.parts if abs(p.value) < float("inf")), default=0.0)
        for number, part in enumerate(self.ledger.parts):
            yield self._line(part, widest, largest, chosen=number == self.chosen)

    def _line(self, part: Part, widest: int, largest: float, *, chosen: bool) -> Spans:
        ledger, notation = self.ledger, self._notation
        text = printable(part.text)
        factors = self._factors(part) if self.has_class("-narrow") else ""
        length = round(self._bar * abs(part.value) / largest) if largest and abs(part.value) <= largest else 0
        sign = "#" if self.look.ascii else "█"
        bar = (sign * length).ljust(self._bar)
        role = "h" if part.value < 0 else "c"
        arrow = "" if part.leads_to is None else (" ->" if self.look.ascii else " →")
        share = ledger.share_text(part) if ledger.kind == "sum" else ""
        return (
            mark(chosen=chosen),
            (f"{share:>{_SHARE}} ", "accent" if chosen else "muted"),
            (f"{bar} " if self._bar or ledger.kind != "sum" else "", role),
            (f"{notation.number(part.value):>9}  ", "number"),
            (text.ljust(widest), "selected" if chosen else "text"),
            (f"{arrow:<3} ", "key"),
            (factors, "muted"),
        )

    def _factors(self, part: Part) -> str:
        """What a part is the product of."""
        number, times = self._notation.number, self._notation.times
        return f" {times} ".join(f"{printable(f.text)} {number(f.value)}" for f in part.factors)

    def _foot(self) -> Iterator[Spans]:
        ledger, notation = self.ledger, self._notation
        beside = self._bar + bool(self._bar) if ledger.kind == "sum" else 1
        blank = " " * (3 + _SHARE + beside)
        if ledger.rest_count:
            words = f"{ledger.rest_count:,} more"
            rest = notation.number(ledger.rest) if ledger.kind == "sum" else ""
            yield ((f"{blank}{rest:>9}  {words}", "muted"),)
        if ledger.kind in ("sum", "product") and ledger.parts:
            sign = "=".rjust(3 + _SHARE)
            left = ledger.residual_text(notation) or "to the last digits"
            room = blank[len(sign) :]
            yield ((f"{sign}{room}{notation.number(ledger.total):>9}  {left}", "muted"),)
        if ledger.parts and not self.has_class("-narrow"):
            factors = self._factors(ledger.parts[self.chosen])
            yield ((f"▸ {factors}" if factors else "", "text"),)

    def action_enter_part(self) -> None:
        """Ask about the chosen part; one that leads nowhere stays."""
        part = self.ledger.parts[self.chosen] if self.ledger.parts else None
        if part is not None and part.leads_to is not None:
            self.dismiss(commands_to(part.leads_to))

    def action_back(self) -> None:
        """Ask the question before again."""
        if self.before:
            self.dismiss(self.before)

    def action_ablate(self) -> None:
        """Run the model without the chosen part."""
        self.dismiss(
            (*commands_to(self.ledger.asked)[:-1], f"ablate {self.ledger.asked.name} part {self.chosen + 1}")
        )


class WhyTrail:
    """The questions that led to one another, so that the one before can be asked again.

    Args:
        look: says what the terminal can show.
        push: shows a screen, and calls back with what it was left with.
        follow: executes commands.
        side: how many columns there are beside the lanes.
    """

    def __init__(
        self,
        look: Callable[[], Look],
        push: Callable[[WhyScreen, Callable[[Commands | None], None]], object],
        follow: Callable[[Commands | None], None],
        side: Callable[[], int],
    ) -> None:
        self._look, self._push, self._follow, self._side = look, push, follow, side
        self._questions: list[Commands] = []
        self._goes_on = False

    def show(self, ledger: Ledger) -> None:
        """Show a ledger; one that no part led to begins anew."""
        if not self._goes_on:
            self._questions.clear()
        self._goes_on = False
        before = self._questions[-1] if self._questions else ()
        screen = WhyScreen(self._look(), ledger, before, self._side)
        self._push(screen, lambda commands: self._left(ledger, before, commands))

    def _left(self, ledger: Ledger, before: Commands, commands: Commands | None) -> None:
        """Go on with the commands that the screen was left with."""
        if not commands:
            self._questions.clear()
            return
        if commands == before:
            self._questions.pop()
        else:
            self._questions.append(commands_to(ledger.asked))
        self._goes_on = True
        self._follow(commands)
