"""The band under the header in which a lesson speaks, whatever the size of the screen."""

from __future__ import annotations

from collections.abc import Mapping

from lstmtui.playback.lesson import Page
from lstmtui.session import Session
from lstmtui.session.verbs.predicting import how_to_answer
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
        text, room = page_spans(guide), max(1, width - 2)
        least = max(len(wrap(spans_before(page), room, self.look)) for page in guide.pages)
        height = min(MOST_LINES, max(least, len(wrap(text, room, self.look))) + 1)
        self._write(text, status_spans(guide, marked, next_title), room, height)

    def invite(self, title: str, pages: int, width: int) -> None:
        """Say that there is a lesson, and how to begin."""
        room = max(1, width - 2)
        text: Spans = ((title, "title"),)
        how: Spans = (("space", "key"), (" begins", "text"), (f"   {pages} pages", "muted"), *_GAP)
        later: Spans = (("esc", "key"), (" not now, ", "muted"), ("t", "key"), (" later", "muted"))
        self._write(text, (*how, *later), room, min(MOST_LINES, len(wrap(text, room, self.look)) + 1))

    def clear(self) -> None:
        """Show nothing."""
        if self.display:
            self.display = False
            for panel in self._panels.values():
                panel.is_marked = False

    def _write(self, text: Spans, status: Spans, room: int, height: int) -> None:
        """The text from the top, and the status on the last line; what has no room between them is cut."""
        lines = wrap(text, room, self.look)
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


def page_spans(guide: LessonGuide) -> Spans:
    """What a page shows: why it stops, else its note and results, its question, or the answer."""
    if guide.problem:
        return ((guide.problem, "warning"),)
    results = "   ".join(guide.said)
    if guide.page.question is None:
        return (*spans_before(guide.page), *((("   " + results, "number"),) if results else ()))
    if not guide.said:
        return spans_before(guide.page)
    grade, _, arithmetic = results.partition(" ")
    return ((grade, "accent"), (f" {arithmetic}", "text"))


def spans_before(page: Page) -> Spans:
    """A page before its commands have run."""
    if page.question is None:
        does = "   ".join(command.text for command in page.commands)
        return markdown_spans(page.note) if page.note else ((does, "muted"),)
    question = page.question
    options = () if question.value is not None else ((f"   {how_to_answer(question)}", "key"),)
    return (("? ", "accent"), *markdown_spans(question.text), *options)


def status_spans(guide: LessonGuide, marked: Panel | None, next_title: str) -> Spans:
    """How far the lesson is, what it is about, and how the predictions went."""
    spans: list[tuple[str, str]] = [(f"{guide.position + 1}/{len(guide.pages)}", "accent"), *_GAP]
    if guide.is_last:
        if next_title:
            spans += [("↵", "key"), (f" {next_title}", "text"), *_GAP]
        else:
            spans += [("the end", "text"), *_GAP]
    elif guide.waits_for_answer:
        spans += [("↵", "key"), (" answer", "text"), *_GAP]
    elif marked is not None:
        sign = "▸" if marked.on_screen else "press"
        spans += [(f"{sign} {marked.key} {marked.TITLE}", "text"), *_GAP]
    grades = guide.grades
    if grades:
        right = sum(grade == "right" for grade in grades)
        spans.append((f"{right} of {len(grades)} right", "muted"))
    return tuple(spans)
