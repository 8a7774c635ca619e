"""The line at the top says what the numbers were computed in."""

from __future__ import annotations

import pytest
from synthetic import synthetic

from lstmtui.session import Session
from lstmtui.tui.header import header_parts


@pytest.mark.parametrize(
    ("precision", "shown"), [("", "cuda:0 float32 "), ("TF32", "cuda:0 float32 (TF32) ")]
)
def test_it_says_what_products_were_rounded_to(precision: str, shown: str) -> None:
    session = Session(synthetic(device="cuda:0", precision=precision))
    assert shown in "".join(text for spans, _ in header_parts(session, 200) for text, _ in spans)


def test_facts_stand_closer_before_the_last_of_them_gives_way() -> None:
    session = Session(synthetic())
    whole = "  ".join("".join(t for t, _ in spans).strip() for spans, _ in header_parts(session, 200)[1:])
    for width in (len(whole) + 2, len(whole) + 6):
        text = "".join(t for spans, _ in header_parts(session, width) for t, _ in spans)
        assert "parity" in text
        assert "loss" in text
        assert len(text.rstrip()) <= width
