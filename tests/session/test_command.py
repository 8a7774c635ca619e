"""A command as it is said where it cannot be done."""

from __future__ import annotations

import pytest

from lstmtui.session.language.command import Command


@pytest.mark.parametrize(
    ("text", "why", "said"),
    [
        ("unit 99", "unit 99: this layer has units 0 to 1", "unit 99: this layer has units 0 to 1"),
        ("compare a", "a: no model and no saved trace", "compare a: no model and no saved trace"),
        ("compare aa", "a: no model", "compare aa: a: no model"),
        ("set f = 0", "Two: cannot be run again: it", "set f = 0: Two: cannot be run again: it"),
        ("out", "nothing to leave", "out: nothing to leave"),
    ],
)
def test_what_its_refusal_begins_with_is_said_once(text: str, why: str, said: str) -> None:
    assert Command(text.split()[0], (), text).refused(why) == said
