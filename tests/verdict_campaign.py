"""Healthy trained models and models with one illness each: what is accused wrongly, and what is missed.

    python tests/verdict_campaign.py COUNT [--seed N]

A healthy model is accused where a verdict is bad; an illness is missed where none of the verdicts that name
it is. Verdicts are tuned on seeds from 0 on; seeds from 1000 on are for seeing whether that holds elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from oracles.ill_models import ILLNESSES
from oracles.trained_models import trained

from lstmtui.analysis.diagnosis import BAD, LOOK, diagnose_trace


@dataclass
class Outcome:
    """What came of the models so far."""

    healthy: int = 0
    ill: int = 0
    false_alarms: list[str] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)
    """Verdicts of healthy models that are worth a look, by name: not alarms."""
    misses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        looks = ", ".join(f"{name} {number}" for name, number in self.looks.most_common()) or "none"
        return "\n".join(
            [
                f"{self.healthy} healthy models, {len(self.false_alarms)} accused; worth a look: {looks}",
                *self.false_alarms,
                f"{self.ill} ill models, {len(self.misses)} misses",
                *self.misses,
            ]
        )


def run(healthy: int, ill: int, seed: int = 0) -> Outcome:
    """Diagnose so many of both, from a seed on."""
    outcome = Outcome()
    _try_healthy(outcome, healthy, count(seed))
    _try_ill(outcome, ill, seed)
    return outcome


def _try_healthy(outcome: Outcome, models: int, seeds: Iterator[int]) -> None:
    while outcome.healthy < models:
        number = next(seeds)
        learned = trained(number)
        if learned is None:
            continue
        name, trace = learned
        outcome.healthy += 1
        for verdict in diagnose_trace(trace):
            if verdict.severity == BAD:
                outcome.false_alarms.append(f"  seed {number}, {name}: {verdict}")
            elif verdict.severity == LOOK:
                outcome.looks[verdict.name] += 1


def _try_ill(outcome: Outcome, models: int, seed: int) -> None:
    for number in count():
        if outcome.ill == models:
            return
        illness = ILLNESSES[number % len(ILLNESSES)]
        own = seed + number // len(ILLNESSES)
        trace = illness.make(own)
        if trace is None:
            continue
        outcome.ill += 1
        verdicts = diagnose_trace(trace)
        if not any(v.name in illness.verdicts and v.severity == BAD for v in verdicts):
            named = [str(v) for v in verdicts if v.name in illness.verdicts]
            layer = trace.layers[0]
            model = f"{layer.cell} {len(trace.layers)}×{layer.hidden_size}, T={trace.steps}, B={trace.batch}"
            outcome.misses.append(f"  seed {own}, {illness.name}, {model}: {'; '.join(named) or 'nothing'}")


def main() -> int:
    """Status 1 where something was accused wrongly or missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", type=int, help="so many healthy models, and as many ill ones")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    outcome = run(arguments.count, arguments.count, arguments.seed)
    print(outcome)
    return 1 if outcome.false_alarms or outcome.misses else 0


if __name__ == "__main__":
    sys.exit(main())
