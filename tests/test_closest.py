"""What a misspelt word was probably meant to be, and when it was none of ours."""

from __future__ import annotations

from itertools import count

import pytest

from lstmtui.cells import CELLS
from lstmtui.closest import closest, meant_or_all
from lstmtui.expressions import cell_vocabulary
from lstmtui.scenario import bundled_scenarios
from lstmtui.session.verbs import VERBS


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *[("setp", "set"), ("prnt", "print"), ("pirnt", "print"), ("brake", "break"), ("wtch", "watch")],
        *[("screen", "screenshot"), ("cont", "continue"), ("wacth", "watch"), ("PRINT", "print")],
        *[("frobnicate", ""), ("xyz", ""), ("abcde", ""), ("why?", "why")],
    ],
)
def test_a_verb_is_found_by_what_misspells_it_and_by_nothing_else(word: str, meant: str) -> None:
    assert closest(word, VERBS) == meant


def test_a_word_that_only_shares_letters_is_no_misspelling() -> None:
    quantities = sorted(cell_vocabulary().quantities)
    assert [closest(word, quantities) for word in ("nope", "ff", "cc", "f_pr", "dhh")] == [
        "",
        "f",
        "c",
        "f_pre",
        "dh",
    ]
    stems = [path.stem for path in bundled_scenarios()]
    assert closest("vanishing-gradient", stems) == "lesson-vanishing-gradient"
    assert closest("airlin", stems) == "airline"
    assert closest("lstmm", CELLS) == "lstm"


def test_all_words_are_listed_only_where_none_comes_near() -> None:
    assert meant_or_all("drak", ("auto", "dark", "light")) == "did you mean dark?"
    assert meant_or_all("pink", ("auto", "dark", "light")) == "there are auto, dark, light"


def test_of_very_many_words_the_first_are_compared() -> None:
    assert closest("wrod", map(str, count())) == ""
    assert closest("wrod", ("word", *map(str, range(20_000)))) == "word"
