"""What-ifs of recorded code on an agent's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.remote.agent.recordings import Recordings
from lstmtui.remote.wire.messages import Open
from lstmtui.trace.edits import Edit

CODE = """
import torch

class Mean(torch.nn.Linear):
    def forward(self, x):
        h, out = x.new_zeros(x.shape[1], 2), []
        for v in x:
            f = torch.sigmoid(super().forward(v))
            h = f * h + v
            out.append(h)
        return torch.stack(out)
"""
SCENARIO = """
[input]
values = [[1.0], [2.0], [3.0]]
[[model]]
name = "M"
factory = "of_an_agent:Mean"
arguments = { in_features = 1, out_features = 2 }
"""


def test_code_that_an_agent_recorded_runs_again_there_and_in_the_agent_after_it(tmp_path: Path) -> None:
    (tmp_path / "of_an_agent.py").write_text(CODE)
    (tmp_path / "a.toml").write_text(SCENARIO)
    target, recorded = Open(str(tmp_path / "a.toml"), trust=True), list[str]()

    def record(who: str) -> lstmtui.Traces:
        recorded.append(who)
        import torch

        torch.manual_seed(0)
        return lstmtui.Traces(lstmtui.run(tmp_path / "a.toml", trust=True))

    def opened(who: str) -> lstmtui.Trace:
        traces = Recordings("0" * 32).recorded(
            target, lambda: record(who), lambda: record(f"{who} again"), lambda: None
        )
        return traces["M"] if isinstance(traces, lstmtui.Traces) else traces

    edit = Edit(1, "M", 0, "forward", 0, "f", None, 1.0, 1, 2)
    whole = rerun_source(record("here")["M"], [edit])
    first, second = opened("first"), opened("second")
    for trace in (first, second):
        changed = rerun_source(trace, [edit])
        assert changed.loss == pytest.approx(whole.loss)
        assert changed.values("f")[1:].tolist() == [[[1.0, 1.0]]] * 2
    assert recorded == ["here", "first", "second again"]
