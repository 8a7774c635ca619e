"""Python's parser fails now and then because of another thread; what it has to parse is then parsed again."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.analysis.statements import statement_at
from lstmtui.capture.source.code.syntax_tree import tree_of
from lstmtui.expressions import Expression, scope_of
from lstmtui.expressions.text import arithmetic_text, operands_text
from lstmtui.models.plain_transfer import read_plain, write_plain
from lstmtui.python_parser import retried
from lstmtui.scenario.numbers.numpy_files import read_npy
from lstmtui.trace.source import Function
from lstmtui.view import View


def upset(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; it fails as Python's parser does, every other time."""

    def failing(*arguments: Any, **options: Any) -> Any:
        failing.calls += 1  # type: ignore[attr-defined]
        if failing.calls % 2:  # type: ignore[attr-defined]
            raise SystemError("AST constructor recursion depth mismatch (before=57, after=54)")
        return function(*arguments, **options)

    failing.calls = 0  # type: ignore[attr-defined]
    return failing


def test_code_is_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    function = Function("f", "f.py", 1, "def f(x):\n    y = x + 1\n    return y\n")
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", upset(ast.parse))
        statement, tree = statement_at(function, 2), tree_of(upset.__code__)
    assert statement.text == "y = x + 1"
    assert isinstance(tree, ast.FunctionDef)


def test_expressions_are_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = scope_of(View.of(synthetic("lstm", 5, 4)))
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", upset(ast.parse))
        both = Expression("h[0] + c[1]")
        compared = Expression("f[2] > 0.5")
        texts = arithmetic_text(both, scope, 2), operands_text(compared, scope, 2)
    assert texts[0].startswith("h[0] + c[1] = ")
    assert texts[1].startswith("f[2] = ")


def test_headers_of_arrays_are_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, content = np.arange(6.0).reshape(3, 2), io.BytesIO()
    np.save(tmp_path / "a.npy", values)
    write_plain(content, {"a": (values, 1)})
    monkeypatch.setattr(ast, "literal_eval", upset(ast.literal_eval))  # as numpy calls it
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), values)
    np.testing.assert_array_equal(read_plain(content.getvalue())["a"][0], values)


def test_what_always_fails_is_not_tried_for_ever() -> None:
    with pytest.raises(SystemError):
        retried(lambda: (_ for _ in ()).throw(SystemError))
