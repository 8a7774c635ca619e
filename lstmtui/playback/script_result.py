"""The result of a script: whether every expectation held and every command could be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lstmtui.playback.player import Played
from lstmtui.printable import printable
from lstmtui.wording import counted

HELD, NOT_HELD, REFUSED = 0, 1, 2


@dataclass
class ScriptResult:
    """Collects the outcomes of commands as they are played."""

    file: str
    """The name of the script's file."""
    expected: int = 0
    """How many `expect` there were."""
    failures: list[str] = field(default_factory=list)
    """The expectations that did not hold, and where in the script they stand."""
    refusal: str = ""
    """The command that could not be done, where in the script, and why."""

    def watch(self, played: Iterable[Played]) -> Iterator[Played]:
        """Yield the commands as they are played, and take note of their outcomes."""
        for step in played:
            place = f"{self.file}:{step.command.line}"
            if step.outcome.expect is not None:
                self.expected += 1
                if not step.outcome.expect:
                    self.failures.append(printable(f"{place}: expected {step.outcome.text}"))
            elif step.refused:
                self.refusal = printable(f"{place}: {step.command.refused(step.outcome.text)}")
            yield step

    @property
    def status(self) -> int:
        """0: everything held; 1: an `expect` did not; 2: a command was refused."""
        return REFUSED if self.refusal else NOT_HELD if self.failures else HELD

    @property
    def lines(self) -> list[str]:
        """The failures and the refusal, a line for each, with the count of the failures."""
        count = f"{len(self.failures)} of {counted(self.expected, 'expectation')} did not hold"
        return [
            *self.failures,
            *([count] if self.failures else []),
            *([self.refusal] if self.refusal else []),
        ]
