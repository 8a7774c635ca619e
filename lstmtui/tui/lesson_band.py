"""The band under the header in which a lesson speaks, whatever the size of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from lstmtui.playback.lesson import Page
from lstmtui.session import Session
from lstmtui.tui.inline_markdown import markdown_spans
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.parts.lesson_guide import LessonGuide
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans, wrap
from lstmtui.tui.widgets.text_lines import TextLines

MOST_LINES = 4
"""The last of them says how far the lesson is."""
_GAP: Spans = (("   ", "sign"),)


class LessonBand(TextLines):
    """Two to four lines: what the page says or asks, and where in the lesson this is."""

    DEFAULT_CSS = """
    LessonBand { height: 3; padding: 0 1; background: $panel; }
    """

    def __init__(self, session: Session, look: Look, panels: Mapping[int, Panel]) -> None:
        super().__init__(look, id="lesson", wraps=True)
        self.display = False
        self._session, self._panels = session, panels

    def show_page(self, guide: LessonGuide, width: int, next_title: str) -> None:
        """The page of a lesson, with the panel that it is about marked.

        Args:
            guide: whose page it is.
            width: of the screen, in cells.
            next_title: of the lesson after this one; empty where there is none.
        """
        marked = panel_about(self._panels, guide.page, self._session)
        for panel in self._panels.values():
            panel.is_marked = panel is marked
        room = max(1, width - 2)
        lines = with_choices(*page_spans(guide), room, self.look)
        least = max(len(with_choices(*spans_before(page), room, self.look)) for page in guide.pages)
        height = min(MOST_LINES, max(least, len(lines)) + 1)
        self._write(lines, status_spans(guide, marked, next_title), height)

    def invite(self, title: str, pages: int, width: int) -> None:
        """Say that there is a lesson, and how to begin."""
        room = max(1, width - 2)
        text: Spans = ((title, "title"),)
        how: Spans = (("space", "key"), (" begins", "text"), (f"   {pages} pages", "muted"), *_GAP)
        later: Spans = (("esc", "key"), (" not now, ", "muted"), ("t", "key"), (" later", "muted"))
        lines = wrap(text, room, self.look)
        self._write(lines, (*how, *later), min(MOST_LINES, len(lines) + 1))

    def clear(self) -> None:
        """Show nothing."""
        if self.display:
            self.display = False
            for panel in self._panels.values():
                panel.is_marked = False

    def _write(self, lines: list[Spans], status: Spans, height: int) -> None:
        """Lines from the top, and the status on the last one; what has no room between them is cut."""
        if len(lines) > height - 1:
            lines = [*lines[: height - 2], (*lines[height - 2], (" …", "muted"))]
        lines += [()] * (height - 1 - len(lines))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.wraps = False
        self.set_lines([*lines, status])
        self.display = True


def panel_about(panels: Mapping[int, Panel], page: Page, session: Session) -> Panel | None:
    """The panel that shows what a page is about; None where it is about nothing that a panel shows."""
    for quantity in page.quantities:
        for number in sorted(panels):
            if panels[number].fits(session) and panels[number].shows(session, quantity):
                return panels[number]
    return None


def page_spans(guide: LessonGuide) -> tuple[Spans, tuple[str, ...]]:
    """What a page shows: why it stops, else its note and results, its question and choices, or the answer."""
    if guide.problem:
        return ((guide.problem, "warning"),), ()
    results = "   ".join(guide.said)
    if guide.page.question is None:
        text, _ = spans_before(guide.page)
        return (*text, *((("   " + results, "number"),) if results else ())), ()
    if not guide.said:
        return spans_before(guide.page)
    grade, _, arithmetic = results.partition(" ")
    return ((grade, "accent"), (f" {arithmetic}", "text")), ()


def spans_before(page: Page) -> tuple[Spans, tuple[str, ...]]:
    """A page before its commands have run, and the choices of its question; none where it has none."""
    if page.question is None:
        does = "   ".join(command.text for command in page.commands)
        return markdown_spans(page.note) if page.note else ((does, "muted"),), ()
    question = page.question
    choices = tuple(f"{number} {choice}" for number, choice in enumerate(question.options, 1))
    return (("? ", "accent"), *markdown_spans(question.text)), choices


def with_choices(text: Spans, choices: Sequence[str], width: int, look: Look) -> list[Spans]:
    """Lines of a text, and whole choices behind it, or below it where that takes no more lines."""
    lines = wrap(text, width, look)
    beside, below = _filled(lines, choices, width, look), [*lines, *_filled([], choices, width, look)]
    return below if len(below) <= len(beside) else beside


def _filled(lines: Sequence[Spans], choices: Sequence[str], width: int, look: Look) -> list[Spans]:
    """Lines with choices after them, none of which is broken where it fits into a line."""
    filled = list(lines)
    for choice in choices:
        last = filled[-1] if filled else ()
        if last and sum(cell_len(text) for text, _ in last) + 3 + cell_len(choice) <= width:
            filled[-1] = (*last, *_GAP, (choice, "key"))
        else:
            filled += wrap(((choice, "key"),), width, look)
    return filled


def status_spans(guide: LessonGuide, marked: Panel | None, next_title: str) -> Spans:
    """How far the lesson is, what it is about, and how the predictions went."""
    spans: list[tuple[str, str]] = [(f"{guide.position + 1}/{len(guide.pages)}", "accent"), *_GAP]
    grades = guide.grades
    right = sum(grade == "right" for grade in grades)
    score: Spans = ((f"{right} of {len(grades)} right", "muted"), *_GAP) if grades else ()
    if guide.is_last:  # the score first: the title is what is cut
        next_lesson = (("↵", "key"), (f" {next_title}", "text")) if next_title else (("the end", "text"),)
        return (*spans, *score, *next_lesson)
    if guide.waits_for_answer:
        options = guide.page.question.options if guide.page.question else ()
        spans += [(f"1 … {len(options)}" if options else "↵", "key"), (" answer", "text"), *_GAP]
    elif marked is not None:
        sign = "▸" if marked.on_screen else "press"
        spans += [(f"{sign} {marked.key} {marked.TITLE}", "text"), *_GAP]
    return (*spans, *score)
