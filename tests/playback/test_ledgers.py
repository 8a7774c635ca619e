"""What is played of `why`: the sentence, and the ledger as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from lstmtui.capture.record import record
from lstmtui.playback.player import play
from lstmtui.playback.reports import json_line
from lstmtui.playback.written_files import OutputFolder
from lstmtui.session import Session, parse_script


def test_a_ledger_is_played_as_json_that_adds_up(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trace = record(nn.LSTM(2, 3, dtype=torch.float64), torch.randn(8, 1, 2, dtype=torch.float64))
    script = parse_script("goto 6\nwhy c[1]\nwhy written c[1]")
    lines = [json.loads(json_line(p)) for p in play(Session(trace), script, OutputFolder(tmp_path))]
    ledger = lines[1]["ledger"]
    assert lines[1]["value"] == ledger["value"] == trace.values("c")[6, 0, 1]
    assert abs(sum(part["value"] for part in ledger["parts"]) - ledger["value"]) <= 1e-15
    assert {part["t"] for part in ledger["parts"]} == set(range(7))
    assert ledger["parts"][0]["leads_to"]["quantity"] == "written c"
    assert sum(part["share"] for part in ledger["parts"]) == 1.0 or abs(ledger["residual"]) < 1e-15
    assert lines[2]["ledger"]["kind"] == "product"
