"""One of the lines of a panel or a screen is chosen, with keys and with the mouse."""

from __future__ import annotations

from lstmtui.tui.widgets.text_lines import TextLines


class ChosenLine:
    """For a panel or a screen with `TextLines`, some of whose bindings are for `choose`.

    Attributes:
        chosen: the number of the line, counted in those that can be chosen.
        first: which line the first of these is.
    """

    chosen = 0
    first = 0

    @property
    def choices(self) -> int:
        """How many lines can be chosen."""
        raise NotImplementedError

    def draw_choices(self) -> None:
        """Draw the lines, with the chosen one marked."""
        raise NotImplementedError

    def choose(self, number: int) -> None:
        """Choose a line; where there are too few, the last one."""
        if self.choices:
            self.chosen = max(0, min(number, self.choices - 1))
            self.draw_choices()

    def action_choose(self, by: int) -> None:
        """Choose another line, so many further on."""
        self.choose(self.chosen + by)

    def on_text_lines_clicked(self, event: TextLines.Clicked) -> None:
        """Choose the line that was clicked."""
        event.stop()
        number = event.line - self.first
        if 0 <= number < self.choices:
            self.choose(number)


def mark(*, chosen: bool) -> tuple[str, str]:
    """What a line begins with that can be chosen."""
    return ("▸ " if chosen else "  ", "cursor")
