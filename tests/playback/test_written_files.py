"""Scripts write where they were told to, and nowhere else; what they write can be read by others."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.errors import UserError
from lstmtui.playback import OutputFolder, Script, export, play, replace_file
from lstmtui.session import ScriptError, Session
from lstmtui.trace import Trace
from lstmtui.view import View

HOSTILE = [
    "/tmp/x.csv",
    "../x.csv",
    "a/../../x.csv",
    "C:/x.csv",
    "..\\x.csv",
    "a\\x.csv",
    "x" * 300 + ".csv",
    "x.py",
    ".csv",
    "x.csv/",
    "~/../x.csv",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_found_before_anything_is_played(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as found:
        Script(f"step\n  export {name}", "s.txt").parse()
    assert str(found.value).startswith("s.txt:2:10: ")
    with pytest.raises(UserError):
        OutputFolder(tmp_path / "out").save("export", name, lambda file: file.write(b"x"))
    assert list(tmp_path.rglob("*")) == []


def test_control_characters_in_a_name_never_reach_the_file_system(trace: Trace, tmp_path: Path) -> None:
    commands = Script("export a\x1b[2J\x07.csv", "s").parse()
    assert all(one.outcome.ok for one in play(Session(trace), commands, OutputFolder(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["a␛[2J␇.csv"]
    with pytest.raises(UserError, match="control characters"):
        OutputFolder(tmp_path).save("export", "a\n.csv", lambda file: file.write(b"x"))


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "kept.csv").write_text("kept")
    (out / "folder").symlink_to(outside)
    (out / "file.csv").symlink_to(outside / "kept.csv")
    folder = OutputFolder(out)
    with pytest.raises(UserError, match="leads out"):
        folder.save("export", "folder/kept.csv", lambda file: file.write(b"x"))
    folder.save("export", "file.csv", lambda file: file.write(b"x"))
    assert (outside / "kept.csv").read_text() == "kept"
    assert (out / "file.csv").read_text() == "x"


def test_without_a_folder_nothing_is_replaced_but_what_the_script_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("mine")
    folder = OutputFolder()
    with pytest.raises(UserError, match="is there already; with --out"):
        folder.save("export", "mine.csv", lambda file: file.write(b"x"))
    for data in (b"1", b"2"):
        folder.save("export", "new.csv", lambda file, data=data: file.write(data))
    assert [(tmp_path / name).read_text() for name in ("mine.csv", "new.csv")] == ["mine", "2"]
    OutputFolder(tmp_path).save("export", "mine.csv", lambda file: file.write(b"x"))
    assert (tmp_path / "mine.csv").read_text() == "x"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    def half(file: io.BufferedIOBase) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "a.csv").write_text("whole")
    with pytest.raises(UserError, match=r"a\.csv: cannot be written: no space left on device"):
        OutputFolder(tmp_path).save("export", "a.csv", half)
    with pytest.raises(UserError, match="no space left"):
        replace_file(tmp_path / "a.csv", half)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "whole")]


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        OutputFolder(tmp_path / "out")


def test_csv_holds_norms_and_the_selected_unit_of_the_selected_sequence(trace: Trace) -> None:
    made = synthetic("lstm", 7, 4, layers=2, batch=2, lengths=[7, 5], input_size=2)
    session = Session(made)
    session.select_layer(1)
    session.select_batch(1)
    session.select_unit(3)
    file = io.BytesIO()
    export(session.view, "a.csv", file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode())))
    assert [row["t"] for row in rows] == list("01234")
    assert [np.float32(row["f[3]"]) for row in rows] == made.values("f", 1)[:5, 1, 3].tolist()
    assert [float(row["norm(dc)"]) for row in rows] == made.norms("dc", 1)[:5, 1].tolist()
    file = io.BytesIO()
    export(View.of(trace), "a.csv", file)
    last = list(csv.DictReader(io.StringIO(file.getvalue().decode())))[-1]
    assert (last["c[0]"], last["norm(c)"]) == ("nan", "nan")


def test_npz_holds_every_quantity_of_the_layer(trace: Trace) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    export(View.of(trace), "a.npz", first)
    export(View.of(trace), "a.npz", second)
    assert first.getvalue() == second.getvalue()
    arrays = np.load(io.BytesIO(first.getvalue()), allow_pickle=False)
    named = {*trace.quantities(), "initial_h", "initial_c", "initial_dh", "initial_dc", "lengths", "loss"}
    assert set(arrays) == named
    assert np.array_equal(arrays["c"], trace.values("c"), equal_nan=True)
    assert arrays["loss"] == trace.loss
