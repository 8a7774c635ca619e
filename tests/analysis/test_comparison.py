"""Two runs on one cursor: who is meant by a word, and what differs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.analysis.comparison import common_quantities, difference, difference_limit
from lstmtui.analysis.signal import signal
from lstmtui.analysis.windows import vector, window
from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.session.compare import compared_with
from lstmtui.trace import Trace, Traces
from lstmtui.view import Cursor, View


def named(*names: str) -> Traces:
    return Traces({name: synthetic("lstm", name=name, seed=i) for i, name in enumerate(names)})


def test_none_is_no_comparison() -> None:
    assert compared_with(Session(named("A", "B")), None) is None


def test_a_model_of_the_session_is_meant_before_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic("gru", name="saved").save("B")
    session = Session(named("A", "B"))
    assert compared_with(session, "B") is session.traces["B"]


def test_a_model_is_compared_with_its_what_ifs_where_it_has_any() -> None:
    session, variant = Session(named("A", "B", "C")), synthetic("lstm", name="B", seed=9)
    session.what_ifs = SimpleNamespace(runs={"B": variant})  # type: ignore[assignment]
    assert compared_with(session, "B") is variant
    assert compared_with(session, "C") is session.traces["C"]


def test_a_saved_trace_is_read_from_its_path(tmp_path: Path) -> None:
    synthetic("gru", name="saved").save(tmp_path / "run.trace")
    found = compared_with(Session(named("A")), str(tmp_path / "run.trace"))
    assert found is not None
    assert (found.name, found.cell().name) == ("saved", "gru")


def test_of_several_saved_models_the_one_named_as_the_selected_is_taken(tmp_path: Path) -> None:
    named("A", "B").save(tmp_path / "many")
    session = Session(named("C", "B"))
    with pytest.raises(UserError, match="many: holds A, B, and none is called C"):
        compared_with(session, str(tmp_path / "many"))
    session.select_model("B")
    found = compared_with(session, str(tmp_path / "many"))
    assert found is not None
    assert found.name == "B"


def test_the_only_model_of_a_saved_trace_is_taken_whatever_its_name(tmp_path: Path) -> None:
    named("B").save(tmp_path / "one")
    found = compared_with(Session(named("A")), str(tmp_path / "one"))
    assert found is not None
    assert found.name == "B"


@pytest.mark.parametrize("word", ["nothing", "", "\0", "x" * 5000, "~nobody-of-this-name/x"])
def test_what_is_neither_model_nor_trace_is_refused_with_what_there_is(word: str) -> None:
    with pytest.raises(UserError, match="no model and no saved trace; compare with B, the path") as refused:
        compared_with(Session(named("A", "B")), word)
    assert "\0" not in str(refused.value)


def test_the_model_on_screen_is_not_compared_with_itself() -> None:
    with pytest.raises(UserError, match="A: is on screen already; compare it with B"):
        compared_with(Session(named("A", "B")), "A")


def test_a_damaged_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        compared_with(Session(named("A")), str(tmp_path))


def deep() -> Session:
    """A session far into a run of two layers in both directions."""
    session = Session(synthetic("lstm", 12, 6, layers=2, bidirectional=True, batch=2, name="deep"))
    session.goto(9)
    session.select_layer(1)
    session.select_direction("backward")
    session.select_batch(1)
    session.select_unit(5)
    return session


def test_the_other_run_is_seen_at_the_same_place() -> None:
    session = deep()
    other = synthetic("lstm", 12, 6, layers=2, bidirectional=True, batch=2, name="other", seed=1)
    mirror = session.view.fitted_to(other)
    assert mirror.cursor == Cursor("other", 9, 1, "backward", 1, 5)
    assert np.array_equal(vector(mirror, "f"), other.values("f", 1, "backward")[9, 1])
    assert signal(mirror, 0, 5).lines
    assert session.cursor.model == "deep"


def test_the_other_run_is_seen_at_the_nearest_place_it_has() -> None:
    assert deep().view.fitted_to(synthetic("gru", 5, 3, name="small")).cursor == Cursor("small", 4, unit=2)


def test_quantities_in_common_are_those_with_as_many_units_in_both() -> None:
    session = Session(synthetic("lstm", 5, 4))
    assert common_quantities(session.view, synthetic("gru", 5, 4)) == ("x", "h", "dx", "dh")
    assert common_quantities(session.view, synthetic("gru", 5, 3)) == ("x", "dx")


def pair() -> tuple[Session, Trace]:
    return Session(synthetic("lstm", 8, 5, seed=1)), synthetic("lstm", 8, 5, seed=2)


def test_the_difference_is_this_run_minus_the_other() -> None:
    session, other = pair()
    shown = difference(session.view, other, "c", 2, 6)
    exact = session.trace.values("c").astype(float) - other.values("c").astype(float)
    assert np.array_equal(shown.values, exact[2:6, 0])
    assert (shown.quantity, shown.start, shown.stop, shown.units, shown.units_per_row) == ("c", 2, 6, 5, 1)
    assert shown.valid.all()


def test_units_of_a_difference_share_rows_after_subtraction() -> None:
    session, other = pair()
    exact = difference(session.view, other, "c", 0, 8).values
    binned = difference(session.view, other, "c", 0, 8, rows=3, binning="mean")
    assert binned.units_per_row == window(session.view, "c", 0, 8, rows=3).units_per_row == 2
    assert binned.values[:, 0] == pytest.approx(exact[:, :2].mean(axis=1))
    assert binned.values[:, 2] == pytest.approx(exact[:, 4])


def test_infinities_that_agree_do_not_differ_and_nan_stays_nan() -> None:
    session, other = pair()
    for trace, values in (
        (session.trace, [np.inf, np.inf, np.nan, 1, 1]),
        (other, [np.inf, 1, np.nan, np.nan, 1]),
    ):
        trace.values("c")[3, 0] = values
    shown = difference(session.view, other, "c", 3, 4).values[0]
    assert shown.tolist()[:2] == [0.0, np.inf]
    assert np.isnan(shown[2:4]).all()
    assert shown[4] == 0.0


def test_timesteps_that_one_run_does_not_have_are_not_valid() -> None:
    session = Session(synthetic("lstm", 8, 5))
    short = synthetic("lstm", 6, 5, seed=1, lengths=(5,))
    shown = difference(session.view, short, "h", 3, 8)
    assert shown.valid.tolist() == [True, True, False, False, False]
    assert shown.values.shape == (5, 5)
    assert not shown.values[2:].any()
    assert shown.values[:2].any(axis=1).all()
    assert difference(View.of(short), session.trace, "h", 3, 6).valid.tolist() == [True, True, False]


def test_a_difference_of_other_sizes_is_refused() -> None:
    session, _ = pair()
    with pytest.raises(UserError, match="h: has 5 units in one run and 3 in the other"):
        difference(session.view, synthetic("gru", 8, 3), "h", 0, 8)


def test_the_scale_of_a_difference_is_that_of_the_whole_run() -> None:
    session, other = pair()
    exact = session.trace.values("c").astype(float) - other.values("c").astype(float)
    limit = difference_limit(session.view, other, "c")
    assert limit == pytest.approx(min(np.abs(exact).max(), 3 * np.sqrt((exact**2).mean())))
    session.trace.values("c")[0, 0, 0] = np.inf
    session.trace.values("c")[1, 0, 0] = 1e6
    assert difference_limit(session.view, other, "c") < 1e6
    assert difference_limit(session.view, session.trace, "h") == 1.0
