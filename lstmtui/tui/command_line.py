"""The `:` prompt at the bottom of the debugger: a line to type, and above it the answer to the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Label

from lstmtui.printable import printable
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines

SIGN = ":"
"""What stands before the typed line."""
MOST_ANSWER_LINES = 6
MOST_HISTORY = 200


class PromptInput(Input):
    """The typed line.

    Its own keys act at once, not as bindings, which Textual looks up later than it inserts characters:
    what is typed ahead then happens in order.
    """

    def on_key(self, event: Key) -> None:
        """Act on the prompt's own keys; all others are Textual's."""
        act = self.query_ancestor(CommandLine).keys.get(event.key)
        # The prompt may still be open under an answer when its key is pressed for the next line.
        is_sign = event.character == SIGN and not self.value
        # Space is a key of lessons and of playing, which may be pressed once more before one sees the prompt.
        before = self.value[: self.cursor_position]
        is_needless = event.character == " " and before.endswith(" ")
        if act is None and not (is_sign or is_needless):
            return
        event.stop()
        event.prevent_default()
        if act is not None and not is_sign:
            act()

    def validate_value(self, value: str) -> str:
        """What is pasted may hold what a terminal would act on."""
        return printable(value)

    def render_line(self, y: int) -> Strip:
        """The line as it is typed; in ASCII with a ? in each cell that it cannot show."""
        strip = super().render_line(y)
        if not self.query_ancestor(CommandLine).look.ascii:
            return strip
        return Strip([Segment(_ascii(text), style, control) for text, style, control in strip])

    async def caught_up(self) -> None:
        """Wait until every key that was sent here has been taken."""
        taken = asyncio.Event()
        self.call_later(taken.set)
        await taken.wait()


class CommandLine(Vertical):
    """A prompt with completion (Tab) and history (up, down); Escape leaves it.

    While it is open it has the keyboard, whatever is clicked, hidden or resized: its screen asks
    `keeps_focus_from` of every change of the focus. What is clicked meanwhile gets the focus afterwards.

    Args:
        look: what the terminal can show.
        complete: the words that may stand where the last word of a text is being typed.
        entered: called with a line that was entered.
    """

    DEFAULT_CSS = """
    CommandLine { dock: bottom; layer: above; height: auto; margin-bottom: 1; background: $panel; }
    CommandLine TextLines, CommandLine Horizontal { height: auto; }
    """

    def __init__(
        self,
        look: Look,
        complete: Callable[[str], list[str]],
        entered: Callable[[str], None],
    ) -> None:
        super().__init__(id="command-line")
        self.look = look
        self.answer = TextLines(look, wraps=True)
        self.input = PromptInput(compact=True, max_length=2000, select_on_focus=False)
        self.answer.styles.max_height = MOST_ANSWER_LINES
        self.answer.display = self.display = False
        self._complete, self._run = complete, entered
        self.keys: dict[str, Callable[[], None]] = {
            "enter": self.enter,
            "escape": self.close,
            "ctrl+c": self.close,
            "tab": self.complete,
            "up": lambda: self.recall(-1),
            "down": lambda: self.recall(1),
        }
        """What the prompt's own keys do."""
        self.is_for_one = False
        """Whether it was opened for one command, after which the keys are those of the screen again."""
        self._history: list[str] = []
        self._at = 0
        self._mistake = ""
        """What is said of a mistake that is marked."""
        self._afterwards: Widget | None = None
        """What gets the focus when the prompt is closed."""

    def compose(self) -> ComposeResult:
        yield self.answer
        with Horizontal():
            yield Label(SIGN, markup=False)
            yield self.input

    @property
    def is_open(self) -> bool:
        """Whether the prompt is on screen."""
        return bool(self.display)

    def open(self, text: str = "", *, for_one: bool = False) -> None:
        """Show the prompt with something typed already.

        Args:
            text: what is typed.
            for_one: it is asked for by a key, for this command and no other.
        """
        self.is_for_one = for_one
        if not self.is_open:
            self._afterwards = self.screen.focused
        self.display = True
        self._at = len(self._history)
        self.show_answer([])
        self.input.value = text
        self.input.cursor_position = len(text)
        # At once, not when the screen is drawn next: keys that were typed ahead are meant for the prompt.
        self.screen.set_focus(self.input, scroll_visible=False)

    def close(self) -> None:
        """Take the prompt off the screen; the focus is where it was before, or where a click wanted it."""
        if not self.is_open:
            return
        self.display = False
        self.show_answer([])
        after = self._afterwards
        self.screen.set_focus(after if after is not None and after.is_on_screen else None, False)

    def keeps_focus_from(self, widget: Widget | None) -> bool:
        """Whether the open prompt keeps the focus that `widget` is about to get."""
        if self.is_open and widget is not None and widget is not self.input:
            self._afterwards = widget
        return self.is_open and widget is not self.input

    def show_answer(self, lines: list[Spans]) -> None:
        """Show what came of a line, above it."""
        self._mistake = ""
        self.answer.display = bool(lines)
        self.answer.set_lines(lines)

    def refuse(self, sentence: str, column: int) -> None:
        """Show a mistake, and a mark over the character of the line it is at, counted from 1."""
        self._mark(sentence, column)
        # What was typed ahead may be entered before it is laid out, and is where it will be only then.
        self.call_after_refresh(self._mark_again, self.input.value, sentence, column)

    def _mark_again(self, line: str, sentence: str, column: int) -> None:
        if self.is_open and self._mistake == sentence and self.input.value == line:
            self._mark(sentence, column)

    def _mark(self, sentence: str, column: int) -> None:
        before = cell_len(self.input.value[: column - 1])
        if before < self.input.scroll_offset.x:
            self.input.cursor_position = column - 1
        at = max(0, before - self.input.scroll_offset.x) + len(SIGN)
        self.show_answer([((sentence, "warning"),), ((" " * at + "^", "warning"),)])
        self._mistake = sentence

    def enter(self) -> None:
        """Take the line; an empty one leaves the prompt."""
        text = self.input.value.strip()
        if not text:
            self.close()
            return
        self._history = [*[h for h in self._history if h != text], text][-MOST_HISTORY:]
        self._at = len(self._history)
        # With the blanks before it, so that a mistake's column is one of the line on screen.
        self._run(self.input.value)

    def recall(self, by: int) -> None:
        """An earlier or a later command."""
        self._at = min(max(self._at + by, 0), len(self._history))
        text = self._history[self._at] if self._at < len(self._history) else ""
        self.input.value = text
        self.input.cursor_position = len(text)

    def complete(self) -> None:
        """Complete the last word as far as it is certain, and list what it may become."""
        text = self.input.value
        words = self._complete(text)
        if not words:
            return
        common = _common_start(words)
        begun = _begun(text, common)
        completed = text[: len(text) - len(begun)] + common + (" " if len(words) == 1 else "")
        self.input.value = completed
        self.input.cursor_position = len(completed)
        self.show_answer([(("  ".join(words), "muted"),)] if len(words) > 1 else [])


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() else "?" * cell_len(c) for c in text)


def _begun(text: str, common: str) -> str:
    """The longest end of `text` that `common` begins with: what has been typed of the word."""
    for size in range(min(len(text), len(common)), 0, -1):
        if common.startswith(text[len(text) - size :]):
            return text[len(text) - size :]
    return ""


def _common_start(words: list[str]) -> str:
    """What all words begin with."""
    first, last = min(words), max(words)
    same = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]
