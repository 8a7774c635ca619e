"""What every panel has: a number, a title, and a way to be shown the session."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message

from lstmtui.session import Session
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import crop_words

SCROLL_BINDINGS: list[BindingType] = [
    Binding("down,j", "scroll_lines(1)", "scroll down", show=False),
    Binding("up,k", "scroll_lines(-1)", "scroll up", show=False),
    Binding("pagedown,right_square_bracket", "scroll_pages(1)", "a page down", show=False),
    Binding("pageup,left_square_bracket", "scroll_pages(-1)", "a page up", show=False),
    Binding("home,circumflex_accent", "scroll_lines(-1_000_000)", "the beginning", show=False),
    Binding("end,dollar_sign", "scroll_lines(1_000_000)", "the end", show=False),
]
"""The keys of a panel that scrolls."""


class Panel(Container, can_focus=True):
    """A bordered part of the screen. `show` is called after every move, and draws what changed."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; border: round $border-blurred; border-title-align: left;
            border-title-color: $foreground; border-subtitle-color: $foreground 60%; }
    Panel.-marked { border: round $accent; border-title-color: $accent; border-title-style: bold; }
    Panel:focus, Panel:focus-within { border: round $border; }
    """

    NUMBER = 0
    KEY = ""
    """The key that jumps to it, which stands before its title; left out: the digit of its number."""
    TITLE = ""
    HELP = ""
    """What it shows and which keys it has, in sentences; the first has room in the footer at 80 columns."""
    ALONE = False
    """Whether it is on screen only when it has all of it."""

    SCROLLS = False
    """Whether ↓ ↑ PgDn PgUp Home End scroll it while it has the focus, and do not move the cursor."""

    class Appeared(Message):
        """Its parts have been laid out only now: it can be shown a session."""

    class Picked(Message):
        """A timestep or a unit was clicked."""

        def __init__(self, *, t: int | None = None, unit: int | None = None) -> None:
            super().__init__()
            self.t, self.unit = t, unit

    def __init__(self, look: Look) -> None:
        super().__init__(id=f"panel-{self.NUMBER}")
        self.look = look
        self.is_zoomed = False
        """Whether it has all of the screen."""
        self._shown: Hashable = None
        self._next: Hashable = None
        self._titles = ("", "")
        self._more = ""
        self._waits = False
        self.set_title(self.TITLE)

    def show(self, session: Session) -> None:
        """Draw what the session's cursor is on; called after every move and resize.

        Everything is asked before anything is drawn, so that a panel shows one place and never parts of two.

        Raises:
            NotReady: not all of it is here yet. What was drawn before stays.
        """

    @property
    def on_screen(self) -> bool:
        """Whether the panel has a place on the screen as it is."""
        return self.display and self.size.area > 0

    def fits(self, session: Session) -> bool:
        """Whether the selected cell has what this panel shows."""
        return True

    def scroll_rows(self, rows: int) -> None:
        """Scroll by so many rows; by many more than there are, to an end."""

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_rows(lines)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by most of the height."""
        self.scroll_rows(pages * max(1, self.content_size.height - 1))

    def pressed_again(self) -> None:
        """Its key was pressed while it had the focus."""

    def shows(self, session: Session, quantity: str) -> bool:
        """Whether a quantity of the selected cell has its place here."""
        return False

    def set_title(self, text: str, detail: str = "") -> None:
        """The title in the border, after the panel's key, and a detail in the lower border."""
        if (text, detail) != self._titles:
            self._titles = (text, detail)
            self._write_titles()

    def name_hidden(self, keys: Sequence[str]) -> None:
        """Say in the lower border which panels have no room."""
        more = f"{len(keys)} more: {' '.join(keys)}" if keys else ""
        if more != self._more:
            self._more = more
            self._write_titles()

    @property
    def key(self) -> str:
        """The key that jumps to it."""
        return self.KEY or str(self.NUMBER)

    @property
    def title(self) -> str:
        """What it shows, after the panel's key."""
        return self._titles[0]

    @property
    def waits(self) -> bool:
        """Whether it is marked that this is not what the cursor is on, which has been asked for."""
        return self._waits

    @waits.setter
    def waits(self, waits: bool) -> None:
        if waits != self._waits:
            self._waits = waits
            self._write_titles()

    @property
    def is_marked(self) -> bool:
        """Whether a lesson is about what this panel shows."""
        return self.has_class("-marked")

    @is_marked.setter
    def is_marked(self, is_marked: bool) -> None:
        if is_marked != self.is_marked:
            self.set_class(is_marked, "-marked")
            self._write_titles()

    def fit_titles(self) -> None:
        """Crop the titles to the width."""
        self._write_titles()

    def _write_titles(self) -> None:
        text, detail = self._titles
        width = self.outer_size.width - 6
        mark = "…" if self._waits else ""
        sign = "▸ " if self.is_marked else ""
        self.border_title = Content(crop_words(f"{sign}{self.key}{mark} {text}", width, self.look))
        room = width - len(self._more) - 2 if self._more else width
        details = [crop_words(detail, room, self.look)] if detail and room > 1 else []
        self.border_subtitle = Content(
            crop_words("  ".join([*details, self._more]).rstrip(), width, self.look)
        )

    def changed(self, *facts: Hashable) -> bool:
        """Whether these facts differ from those that are on screen: what depends on them must be drawn."""
        self._next = facts
        return facts != self._shown

    def drawn(self) -> None:
        """What depends on the facts that `changed` was last given is on screen now."""
        self._shown = self._next

    def forget(self) -> None:
        """Draw everything the next time."""
        self._shown = None
