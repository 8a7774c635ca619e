"""The session knows neither torch nor a front end."""

from __future__ import annotations

import subprocess
import sys

_WALK = """
import sys
from synthetic import synthetic
from lstmtui.session import Session
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.windows import gradient_norms, window
from lstmtui.analysis.signal import signal
session = Session(synthetic())
session.step(); session.into(); session.select_unit(1)
view = session.view
window(view, "f", 0, 5, 2), equations_at(view), gradient_norms(view, "h"), signal(view, 0, 5)
print(sorted({"torch", "textual", "rich", "lstmtui.tui", "lstmtui.capture"} & set(sys.modules)))
"""


def test_walking_a_trace_loads_neither_torch_nor_textual() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _WALK],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.strip() == "[]"
