"""A share of the campaign of healthy and ill models: nothing healthy is accused, no illness is missed."""

from __future__ import annotations

import verdict_campaign
from oracles.ill_models import ILLNESSES


def test_no_trained_model_is_accused_and_no_illness_is_missed() -> None:
    outcome = verdict_campaign.run(healthy=3, ill=len(ILLNESSES), seed=21)
    assert (outcome.false_alarms, outcome.misses) == ([], [])
    assert (outcome.healthy, outcome.ill) == (3, len(ILLNESSES))
