"""The README's picture shows the program as it is."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

HERE = Path(__file__).parent
PICTURE, README = HERE / "airline.svg", HERE.parents[1] / "README.md"


def words(svg: str) -> str:
    """The text of a picture; parity, which is rounding noise of the machine, left out."""
    text = " ".join(html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    return re.sub(r"parity\s*[\d.e−]+", "parity", text.replace("\xa0", " "))


def test_the_picture_in_the_readme_is_what_the_program_draws():
    assert f"({PICTURE.relative_to(README.parent)})" in README.read_text(encoding="utf-8")
    # Textual reads the terminal's colours once, when it is imported: hence a process of its own.
    printed = subprocess.run([sys.executable, HERE / "draw.py", "-"], capture_output=True, check=True)
    kept, drawn = words(PICTURE.read_text(encoding="utf-8")), words(printed.stdout.decode())
    # The last digit of a number may differ from one processor to another; nothing else may.
    difference = SequenceMatcher(None, kept.split(), drawn.split(), autojunk=False).ratio()
    assert difference > 0.98, "draw it again: python tests/pictures/draw.py"
