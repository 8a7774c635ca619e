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
