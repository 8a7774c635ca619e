"""What a gate means is said in `lstmtui.cells` alone: nobody else knows one by its letter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import lstmtui
from lstmtui.cells import CELLS

PACKAGE = Path(lstmtui.__file__).parent

GATES = {gate for cell in CELLS.values() for gate in cell.gates}
GATES |= {"d" + gate for gate in GATES} - {"do"}  # an English word
LONGER = {q for cell in CELLS.values() for q in cell.quantities if q.endswith("_pre")}
LONGER |= {symbol for cell in CELLS.values() for symbol in cell.blocks} - {"W", "R", "b", "W_hr", "beta"}
LONGER |= {"weight_" + symbol.removeprefix("w_") for symbol in LONGER if symbol.startswith("w_c")}

DERIVATIVES_BY_FAMILY = "capture/fused/"
"""What PyTorch's kernels leave out is worked out for each family of cells by itself."""

OTHER_LETTERS = {
    "analysis/windows.py": "kinds of dtype",
    "commands/record.py": "-o",
    "commands/train.py": "-o",
    "expressions/evaluation.py": "kinds of dtype",
    "models/checkpoints/found_layer.py": "an article",
    "models/onnx/bodies.py": "ONNX's graphs",
    "models/onnx/node.py": "ONNX's rows",
    "models/onnx/tensors.py": "ONNX's graphs",
    "models/keras/file.py": "kinds of dtype, modes of files",
    "playback/cast.py": "asciicast's events",
    "remote/client/answer_checks.py": "kinds of dtype",
    "remote/client/ssh.py": "-o",
    "remote/wire/arrays.py": "kinds of dtype",
    "scenario/models/graph_axes.py": "names of axes",
    "scenario/models/graph_inputs.py": "kinds of dtype",
    "scenario/sequences.py": "kinds of dtype",
    "scenario/tasks/copy.py": "a letter to copy",
    "session/verbs/undoing.py": "short verbs",
    "session/verbs/walking.py": "short verbs",
    "streams.py": "modes of files",
    "trace/lazy_arrays.py": "modes of files",
    "tui/key_names.py": "names of keys",
    "tui/keys.py": "keys",
    "tui/panels/cell_picture.py": "a key",
    "tui/palette.py": "the mark of −inf",
    "tui/panels/weights.py": "a key",
    "tui/screens/losing.py": "keys",
    "tui/widgets/ruler.py": "signs in ASCII",
    "tui/widgets/spans.py": "signs in ASCII",
}
"""Where a single letter stands for something else."""


def texts(path: Path) -> Iterator[str]:
    """Every string of a source file but docstrings and formats of numbers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            left_out |= set(ast.walk(node.format_spec))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node.value


@cache
def letters() -> dict[str, set[str]]:
    """The names of gates in each source file outside `cells`: whole strings, and `f_pre`, `w_cf` anywhere."""
    named: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE).as_posix()
        for text in () if relative.startswith("cells/") else texts(path):
            words = {text.lstrip("-")} & GATES | set(re.findall(r"\w+", text)) & LONGER
            if words:
                named.setdefault(relative, set()).update(words)
    return named


def test_no_file_outside_of_cells_names_a_gate_by_its_letter() -> None:
    named = {path: words for path, words in letters().items() if not path.startswith(DERIVATIVES_BY_FAMILY)}
    assert not {path: words for path, words in named.items() if path not in OTHER_LETTERS or words & LONGER}


def test_what_is_let_through_is_there() -> None:
    assert set(OTHER_LETTERS) <= set(letters())
    assert any(path.startswith(DERIVATIVES_BY_FAMILY) for path in letters())


def test_a_letter_in_a_comparison_in_a_table_and_in_a_message_is_found(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(
        '"""f"""\nif name == "f" or x in {"i": 1}:\n    raise E(f"dg_pre {x:g}")\n', encoding="utf-8"
    )
    assert {"f", "i", "dg_pre "} == set(texts(path))
