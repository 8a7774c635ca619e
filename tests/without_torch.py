"""A plugin of pytest: where torch is not installed, a test that fails for want of it is skipped.

With torch installed it does nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

import pytest

TORCH_IS_MISSING = find_spec("torch") is None
SENTENCES = ("No module named 'torch'", "PyTorch is not installed")
"""What Python and lstmtui say of it, here and in programs that a test starts."""
REASON = "Skipped: torch is not installed"


def wants_torch(report: pytest.CollectReport | pytest.TestReport) -> bool:
    """Whether a failure says that there is no torch, in its traceback or in what was written meanwhile."""
    said = "\n".join((report.longreprtext, *(text for _, text in report.sections)))
    return TORCH_IS_MISSING and report.failed and any(sentence in said for sentence in SENTENCES)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport]:
    report = yield
    if wants_torch(report):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 1, REASON)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport]:
    report = yield
    if wants_torch(report):
        report.outcome, report.longrepr = "skipped", (str(item.path), (item.location[1] or 0) + 1, REASON)
    return report
