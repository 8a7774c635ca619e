"""Tests that look at the clock are marked, so that a busy machine does not turn the suite red."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
CLOCKS = re.compile(r"monotonic|perf_counter|process_time|time\.time|within")
ELAPSED = re.compile(r"(monotonic|perf_counter|process_time|time\.time)\(\) - ")


def unmarked(source: str) -> list[str]:
    """The tests of a file that assert on elapsed time, or use `within`, and are not marked `clock`."""
    if re.search(r"^pytestmark = .*mark\.clock", source, re.MULTILINE) or not CLOCKS.search(source):
        return []
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tests = [node for node in ast.walk(ast.parse(source)) if isinstance(node, functions)]
    return [
        node.name
        for node in tests
        if node.name.startswith("test_")
        and (ELAPSED.search(ast.unparse(node)) or "within" in [a.arg for a in node.args.args])
        and not any("mark.clock" in ast.unparse(mark) for mark in node.decorator_list)
    ]


def test_every_test_that_looks_at_the_clock_is_marked() -> None:
    found = {path.name: unmarked(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")}
    del found[Path(__file__).name]
    assert {name: tests for name, tests in found.items() if tests} == {}


def test_an_unmarked_one_is_seen() -> None:
    body = "    begun = monotonic()\n    assert monotonic() - begun < 2\n"
    assert unmarked(f"def test_a():\n{body}") == ["test_a"]
    assert unmarked(f"@pytest.mark.clock\ndef test_a():\n{body}") == []
    assert unmarked("async def test_b(within):\n    with within(2):\n        pass\n") == ["test_b"]
