"""The laws of state, tested on the selected model if there is something that can run it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, runtime_checkable

from lstmtui.analysis.laws import BROKEN, HELD, NAMES, HeldLaws, LawResult
from lstmtui.errors import UserError
from lstmtui.session.session import Session
from lstmtui.trace import Trace


@runtime_checkable
class LawEngine(Protocol):
    """Something that can test the laws of state on a recorded model."""

    def laws(
        self,
        trace: Trace,
        progress: Callable[[str, float], None] | None = None,
        only: Collection[str] = (),
    ) -> HeldLaws:
        """A result for each law, or for those of these names.

        Args:
            trace: of the model.
            progress: called with (law, seconds it takes); may raise to stop it.
            only: the names; empty: all.

        Raises:
            UserError: the model cannot be run again, or there is no such law; the message says why.
        """


def hold_laws(session: Session) -> tuple[LawResult, ...]:
    """Every law on the selected model, as it was recorded.

    Raises:
        UserError: nothing here can run it.
    """
    engine: object = session.engine
    if not isinstance(engine, LawEngine):
        raise UserError("laws are tested where the model is: run `lstmtui laws` there")
    announced: set[str] = set()

    def progress(law: str, seconds: float) -> None:
        if session.what_ifs is not None and session.what_ifs.progress is not None:
            session.what_ifs.progress(0, 1)
        if law not in announced and seconds > 1 and session.says is not None:
            announced.add(law)
            session.says(f"testing the law {law}: about {seconds:,.0f} s; Esc stops it")

    return engine.laws(session.baseline, progress).results


def laws_text(results: tuple[LawResult, ...]) -> str:
    """Which laws are broken, or else which hold and which could not be tested."""
    wrong = [str(result) for result in results if result.status == BROKEN]
    if wrong:
        return "; ".join(wrong)
    held = [result.name for result in results if result.status == HELD]
    rest = [f"{result.name} ({result.status}: {result.text})" for result in results if not result.held]
    text = f"{len(held)} of {len(NAMES)} laws hold: {', '.join(held)}" if held else "no law was held"
    return f"{text}; {'; '.join(rest)}" if rest else text
