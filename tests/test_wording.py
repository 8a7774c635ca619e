"""Counts, lists and other people's exceptions in sentences."""

from __future__ import annotations

import pytest

from lstmtui.wording import counted, first_line, first_of, listed, numbered


def test_one_thing_is_singular_and_thousands_are_grouped() -> None:
    assert [counted(n, "timestep") for n in (0, 1, 2, 12_345)] == [
        "0 timesteps",
        "1 timestep",
        "2 timesteps",
        "12,345 timesteps",
    ]


def test_a_list_names_its_first_words_and_counts_the_others() -> None:
    assert first_of(["a", "b"], 2) == "a, b"
    assert first_of(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert first_of(["a", "b"], 2, 1_202) == "a, b and 1,200 more"


def test_the_last_of_a_list_is_after_an_and() -> None:
    assert [listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_what_is_there_is_named_by_its_numbers_and_where_there_is_one_by_that() -> None:
    assert [numbered(n, "layer") for n in (1, 2, 12)] == ["layer 0 alone", "layers 0 to 1", "layers 0 to 11"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("shapes differ\nin detail"), "shapes differ"),
        (ValueError("\n  shapes differ"), "shapes differ"),
        (AssertionError(), "AssertionError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_an_exception_is_its_first_line_and_one_without_words_is_its_type(
    error: Exception, line: str
) -> None:
    assert first_line(error) == line
