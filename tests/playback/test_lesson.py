"""A script as a lesson: which commands make a page, what it is about, and how long it takes to read."""

from __future__ import annotations

import pytest

from lstmtui.playback.lesson import LOOKING, Page, pages_of
from lstmtui.session.parse import parse_script


def pages(script: str) -> list[str]:
    """The commands of each page, joined."""
    return ["; ".join(command.text for command in page.commands) for page in pages_of(parse_script(script))]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "goto 5\nnote a\nexpect t == 5\npause 2\nnote b",
            ["goto 5; note a; expect t == 5; pause 2", "note b"],
        ),
        ("note a\nprint c\ngoto 7\nnote b", ["note a; print c", "goto 7; note b"]),
        (
            "goto 1\nexpect t == 1\npause 2\ngoto 2\nnote a",
            ["goto 1; expect t == 1; pause 2", "goto 2; note a"],
        ),
        ('note a\nask "b" = t\nexpect t == 0\nstep', ["note a", 'ask "b" = t; expect t == 0', "step"]),
        ("goto 3\npause 1\ngoto 5", ["goto 3", "goto 5"]),
        ("note a\nquit\nexport a.csv\nscreenshot a.svg\nstep\nnote b", ["note a", "step; note b"]),
        ("quit", []),
    ],
)
def test_a_page_is_what_leads_up_to_a_note_or_a_question_and_what_follows_from_it(
    script: str, expected: list[str]
) -> None:
    assert pages(script) == expected


def page(script: str) -> Page:
    """The only page of a script."""
    (only,) = pages_of(parse_script(script))
    return only


def test_a_page_is_about_what_it_asks_then_what_it_checks_and_the_input_last() -> None:
    asked = page("note a\nexpect x[1] == 1 and f[2] > 0\nprint dh")
    assert asked.quantities == ("f", "dh", "x")
    assert asked.place == ("f", 2)
    assert page('ask "b" choose p when h[3] > c[1] | q').quantities == ("h", "c")
    assert page("note a").place is None


def test_a_page_stays_as_long_as_200_words_a_minute_and_a_look_take() -> None:
    assert page("note a").seconds(100) == pytest.approx(30 + LOOKING)
    assert page("note a\npause 7").seconds(0) == 7
