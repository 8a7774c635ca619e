"""Every published bug is named by the law it breaks, at its place, and its repaired twin breaks none."""

from __future__ import annotations

import pytest
import torch
from capture.laws.published_bugs import BUGS

import lstmtui
from lstmtui.analysis.laws import BROKEN


@pytest.mark.parametrize("name", BUGS)
def test_a_published_bug_is_named_by_its_law(name: str) -> None:
    bug = BUGS[name]
    torch.manual_seed(0)
    (result,) = lstmtui.laws(bug.made(), bug.x, only=[bug.law], **bug.options)
    assert result.status == BROKEN, result
    assert bug.says in result.text
    assert result.place is not None


@pytest.mark.parametrize("name", BUGS)
def test_its_repaired_twin_breaks_no_law(name: str) -> None:
    bug = BUGS[name]
    torch.manual_seed(0)
    assert [str(r) for r in lstmtui.laws(bug.repaired(), bug.x, **bug.options) if r.broken] == []
