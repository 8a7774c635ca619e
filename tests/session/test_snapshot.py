"""A session that is put aside comes back as it was, whatever happens meanwhile."""

from __future__ import annotations

from synthetic import synthetic

from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.session.snapshot import Snapshot, start_clean
from lstmtui.trace import Traces


def run(session: Session, *lines: str) -> list[str]:
    """What each line says."""
    return [execute(session, parse_line(line)).text for line in lines]  # type: ignore[arg-type]


def looks(session: Session) -> tuple[object, ...]:
    """Everything that a session is at."""
    points = [str(point) for point in session.breakpoints]
    watches = [(watch.id, watch.text) for watch in session.watches]
    asked = session.asked
    return session.cursor, points, watches, session.compared, session.hidden, asked, session.question


def test_everything_comes_back_again_and_again() -> None:
    session = Session(Traces({"a": synthetic(name="a"), "b": synthetic("gru", name="b")}))
    mine = (
        "break at 3",
        "break when h[0] > 2",
        "continue",
        "unit 2",
        "watch h[1]",
        "compare b",
        "where c",
        "hide h",
    )
    run(session, *mine)
    before, aside = looks(session), Snapshot.take(session)
    for _ in range(2):
        start_clean(session)
        assert looks(session) == looks(Session(session.traces))
        run(
            session,
            "model b",
            "break at 9",
            "delete 1",
            "watch z",
            "continue",
            "compare a",
            "where h",
            "hide z",
        )
        aside.restore(session)
        assert looks(session) == before
    assert run(session, "break at 7")[0].startswith("breakpoint 3:")
    assert run(session, "disable 1") == ["breakpoint 1: at t=3, disabled, already hit 1 time"]
    aside.restore(session)
    assert looks(session) == before
