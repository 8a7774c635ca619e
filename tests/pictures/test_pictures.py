"""The README's picture shows the program as it is."""

from __future__ import annotations

import html
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from pictures.draw import PICTURE, draw

README = Path(__file__).parents[2] / "README.md"


def words(svg: str) -> str:
    """The text of a picture; parity, which is rounding noise of the machine, left out."""
    text = " ".join(html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    return re.sub(r"parity\s*[\d.e−]+", "parity", text.replace("\xa0", " "))


async def test_the_picture_in_the_readme_is_what_the_program_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    assert f"({PICTURE.relative_to(README.parent)})" in README.read_text(encoding="utf-8")
    kept, drawn = words(PICTURE.read_text(encoding="utf-8")), words(await draw())
    # The last digit of a number may differ from one processor to another; nothing else may.
    difference = SequenceMatcher(None, kept.split(), drawn.split(), autojunk=False).ratio()
    assert difference > 0.98, "draw it again: python tests/pictures/draw.py"
