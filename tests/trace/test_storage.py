"""Traces on disk: what was saved comes back to the bit, lazily, and damage is told in a sentence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest

import lstmtui
from lstmtui.errors import UserError
from lstmtui.trace import Header, Layer, Trace, Traces, is_trace, lazy_arrays, load
from lstmtui.trace.header import SCHEMA

SPECIAL = [0.1, -0.0, np.nan, np.inf, -np.inf, 5e-324]


def make_trace(name: str = "mine", **changes: Any) -> Trace:
    arrays: dict[str, Any] = {
        "0/forward/x": np.arange(6, dtype=np.float32).reshape(3, 2, 1),
        "0/forward/h_pre": np.ones((3, 2, 1)),
        "0/forward/h": np.array(SPECIAL).reshape(3, 2, 1),
        "0/forward/initial/h": np.zeros((2, 1)),
        "parameters/rnn.weight_ih_l0": np.array([[0.25]], np.float32),
        "parameters/größe und/../so -- weiter.w": np.array([1.5]),
        "lengths": np.array([3, 2]),
        "nothing": np.zeros((0, 2), np.int64),
        "mask": np.array([[True, False], [False, True], [True, True]]),
    }
    layer = Layer("rnn_tanh", 1, 1, parameters={"forward": {"weight_ih": "rnn.weight_ih_l0"}})
    return Trace(replace(Header(name, (layer,), steps=3, batch=2, loss=0.1), **changes), arrays)


def file_of(path: Path, key: str) -> Path:
    (data,) = path.glob("data-*")
    return data / "0" / f"{key}.npy"


def assert_equal(found: Trace, expected: Trace) -> None:
    assert repr(found.header) == repr(expected.header)
    assert set(found.arrays) >= set(expected.arrays)
    for key, array in expected.arrays.items():
        assert found.arrays[key].dtype == array.dtype
        assert found.arrays[key].tobytes() == array.tobytes(), key


def test_one_trace_comes_back_to_the_bit(tmp_path: Path) -> None:
    trace = make_trace("Größe ∂ \x1b[31m", title="t\n", notes="¶", labels=("é", "\x00", "b"), script="step")
    trace.save(tmp_path / "a" / "run.trace")
    found = load(tmp_path / "a" / "run.trace")
    assert isinstance(found, Trace)
    assert_equal(found, trace)
    assert found.parameters["größe und/../so -- weiter.w"].tolist() == [1.5]
    assert found.layer_parameters()["weight_ih"].tolist() == [[0.25]]
    assert is_trace(tmp_path / "a" / "run.trace")


@pytest.mark.parametrize("loss", [0.1, 1 / 3, 5e-324, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("parity", [None, 1e-7, float("nan")])
def test_loss_and_parity_come_back_to_the_bit(tmp_path: Path, loss: float, parity: float | None) -> None:
    make_trace(loss=loss, parity=parity).save(tmp_path / "t")
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    assert np.float64(found.loss).tobytes() == np.float64(loss).tobytes()
    assert repr(found.parity) == repr(parity)


def test_several_come_back_in_order_under_their_own_names(tmp_path: Path) -> None:
    traces = Traces({"z": make_trace("LSTM"), "a": make_trace("LSTM", loss=2.0), "ü/..": make_trace("x")})
    traces.save(tmp_path / "t")
    found = load(tmp_path / "t")
    assert isinstance(found, Traces)
    assert list(found) == ["z", "a", "ü/.."]
    for name, trace in traces.items():
        assert_equal(found[name], trace)


def test_a_mapping_of_one_stays_a_mapping(tmp_path: Path) -> None:
    Traces(only=make_trace()).save(tmp_path / "t")
    assert isinstance(load(tmp_path / "t"), Traces)


def test_the_public_load_is_this_one(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "t")
    assert lstmtui.load is load
    assert isinstance(lstmtui.load(str(tmp_path / "t")), lstmtui.Trace)


def test_opening_reads_no_array(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "t")
    file_of(tmp_path / "t", "0/forward/h").unlink()
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    assert "h" in found.quantities()
    assert found.values("x").shape == (3, 2, 1)
    with pytest.raises(UserError, match=r"h.npy: damaged: .*No such file"):
        found.values("h")


def test_an_array_is_mapped_also_where_another_thread_upsets_pythons_parser_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = make_trace()
    trace.save(tmp_path / "t")
    loaded = load(tmp_path / "t")
    assert isinstance(loaded, Trace)
    attempts: list[Any] = []
    mapped = np.lib.format.open_memmap

    def upset(*arguments: Any, **options: Any) -> Any:
        attempts.append(arguments)
        if len(attempts) % 2:
            raise SystemError("AST constructor recursion depth mismatch (before=57, after=54)")
        return mapped(*arguments, **options)

    monkeypatch.setattr(np.lib.format, "open_memmap", upset)
    assert_equal(loaded, trace)
    assert attempts


def test_a_loaded_trace_cannot_be_written_to(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "t")
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    with pytest.raises(ValueError, match="read-only"):
        found.values("x")[0] = 1


def test_a_loaded_trace_can_be_saved_over_itself(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "t")
    found = load(tmp_path / "t")
    found.save(tmp_path / "t")
    again = load(tmp_path / "t")
    assert isinstance(again, Trace)
    assert_equal(again, make_trace())
    assert_equal(found, make_trace())
    del found
    assert len(list((tmp_path / "t").glob("data-*"))) == 1


@pytest.mark.parametrize("name", ["notes.txt", "data-raw", "data-2024"])
def test_a_directory_that_is_no_trace_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="exists and is not a trace; choose another path"):
        make_trace().save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_lies_beside_a_trace_is_left_alone(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "t")
    (tmp_path / "t" / "data-raw").mkdir()
    (tmp_path / "t" / "notes.txt").write_text("mine")
    make_trace().save(tmp_path / "t")
    assert (tmp_path / "t" / "data-raw").is_dir()
    assert (tmp_path / "t" / "notes.txt").read_text() == "mine"


def test_a_file_is_left_alone_and_is_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text("mine")
    with pytest.raises(UserError, match="exists and is not a trace"):
        make_trace().save(file)
    with pytest.raises(UserError, match=r"not a trace: there is no trace\.json"):
        load(file)
    assert file.read_text() == "mine"
    with pytest.raises(UserError, match="cannot write the trace"):
        make_trace().save(file / "below")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("nothing", "t: not a trace: there is no such file or directory"),
        ("empty directory", r"not a trace: there is no trace\.json in it"),
    ],
)
def test_where_there_is_no_trace_load_says_so(tmp_path: Path, kind: str, why: str) -> None:
    target = tmp_path / "t"
    if kind == "empty directory":
        target.mkdir()
    with pytest.raises(UserError, match=why):
        load(target)
    assert not is_trace(target)


def test_a_folder_of_traces_names_them(tmp_path: Path) -> None:
    for name in ("b", "a\x1b"):
        make_trace().save(tmp_path / "runs" / name)
    (tmp_path / "runs" / "other").mkdir()
    named = f"no trace.json in it; traces are {tmp_path}/runs/a␛, {tmp_path}/runs/b"
    with pytest.raises(UserError, match=re.escape(named) + "$"):
        load(tmp_path / "runs")


def manifest(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "trace.json").read_text())
    return found


def test_a_newer_trace_is_refused_with_both_versions(tmp_path: Path) -> None:
    make_trace().save(tmp_path)
    (tmp_path / "trace.json").write_text(json.dumps(manifest(tmp_path) | {"schema": SCHEMA + 1}))
    newer = f"newer lstmtui, {lstmtui.__version__} \\(schema {SCHEMA + 1}; this one reads {SCHEMA}\\)"
    with pytest.raises(UserError, match=newer):
        load(tmp_path)


DAMAGE: list[dict[str, Any]] = [
    {"format": "something else"},
    {"schema": "\x1b[31m"},
    {"schema": None},
    {"data": "../elsewhere"},
    {"data": "data-12/.."},
    {"data": None},
    {"models": []},
    {"models": {}},
    {"models": None},
    {"models": [3]},
    {"models": ["arrays"]},
    {"models": [{"arrays": {}}]},
    {"models": [{"name": "a", "arrays": []}]},
    {"models": [{"name": 3, "arrays": {}}]},
    {"models": [{"name": "a", "arrays": {}, "header": None}]},
    {"models": [{"name": "a", "arrays": {}, "header": {"name": "a"}}]},
    {"models": 2 * [{"name": "a", "arrays": {}, "header": {}}]},
]


@pytest.mark.parametrize("change", DAMAGE, ids=str)
def test_a_damaged_manifest_is_told_in_a_sentence(tmp_path: Path, change: dict[str, Any]) -> None:
    make_trace().save(tmp_path)
    (tmp_path / "trace.json").write_text(json.dumps(manifest(tmp_path) | change))
    with pytest.raises(UserError, match="damaged") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '"x"', "null", "{}", "[" * 100_000, "\xff", '{"a": 1e999}']
)
def test_a_manifest_that_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    make_trace().save(tmp_path)
    (tmp_path / "trace.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="damaged"):
        load(tmp_path)


def test_a_manifest_cut_short_is_told(tmp_path: Path) -> None:
    make_trace().save(tmp_path)
    file = tmp_path / "trace.json"
    whole = file.read_bytes()
    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(UserError, match="damaged"):
            load(tmp_path)


@pytest.mark.parametrize("change", [{"cell": "nope"}, {"hidden_size": "many"}, {"parameters": 3}])
def test_a_damaged_header_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    make_trace().save(tmp_path)
    found = manifest(tmp_path)
    found["models"][0]["header"]["layers"][0] |= change
    (tmp_path / "trace.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="damaged header"):
        load(tmp_path)


@pytest.mark.parametrize("key", ["../../secret", "/etc/secret", "0/../../../secret", "0//x", "./x"])
def test_a_name_of_an_array_cannot_lead_out_of_the_trace(tmp_path: Path, key: str) -> None:
    make_trace().save(tmp_path / "t")
    np.save(tmp_path / "secret.npy", np.zeros((3, 2, 1)))
    found = manifest(tmp_path / "t")
    found["models"][0]["arrays"][key] = {"shape": [3, 2, 1], "dtype": "<f8"}
    (tmp_path / "t" / "trace.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="damaged: an array is named"):
        load(tmp_path / "t")


def pickled() -> bytes:
    from io import BytesIO

    stream = BytesIO()
    np.save(stream, np.array([[["a"]]], dtype=object), allow_pickle=True)
    return stream.getvalue()


def spoil(file: Path, how: str) -> None:
    whole = file.read_bytes()
    if how.startswith("cut"):
        file.write_bytes(whole[: int(how.split()[1])])
    elif how == "zip":
        file.write_bytes(b"PK\x03\x04" + whole[4:])
    elif how == "text":
        file.write_text("not an array")
    elif how == "pickle":
        file.write_bytes(pickled())
    elif how == "huge":
        file.write_bytes(whole.replace(b"(3, 2, 1)", b"(3, 9999999999999999999, 1)")[: len(whole)])
    elif how == "shape":
        np.save(file, np.zeros((2, 2, 1)))
    elif how == "dtype":
        np.save(file, np.zeros((3, 2, 1), np.int8))


@pytest.mark.parametrize("key", ["0/forward/h", "nothing"])
@pytest.mark.parametrize(
    "how", ["cut 0", "cut 5", "cut 60", "cut 129", "zip", "text", "pickle", "huge", "shape", "dtype"]
)
def test_a_damaged_array_is_told_when_it_is_used(tmp_path: Path, how: str, key: str) -> None:
    make_trace().save(tmp_path)
    file = file_of(tmp_path, key)
    if key == "nothing" and how in ("cut 129", "huge"):
        file.write_bytes(b"")
    spoil(file, how)
    found = load(tmp_path)
    assert isinstance(found, Trace)
    assert found.values("x").shape == (3, 2, 1)
    with pytest.raises(UserError, match=r"\.npy: damaged") as caught:
        found.arrays[key]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", [None, 3, {}, {"shape": 3, "dtype": "<f8"}, {"shape": [3, 2, 1]}])
def test_a_damaged_entry_of_an_array_is_told(tmp_path: Path, entry: Any) -> None:
    make_trace().save(tmp_path)
    found = manifest(tmp_path)
    found["models"][0]["arrays"]["0/forward/h"] = entry
    (tmp_path / "trace.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="damaged"):
        one_value(tmp_path)


def one_value(path: Path) -> Any:
    found = load(path)
    assert isinstance(found, Trace)
    return found.values("h")


@pytest.mark.parametrize(("key", "shape"), [("0/forward/h", [3, 2, 7]), ("mask", [2, 3]), ("y", [3])])
def test_arrays_that_do_not_fit_the_header_are_refused_at_once(
    tmp_path: Path, key: str, shape: list[int]
) -> None:
    make_trace().save(tmp_path)
    found = manifest(tmp_path)
    found["models"][0]["arrays"].setdefault(key, {"dtype": "<f8"})["shape"] = shape
    (tmp_path / "trace.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=f"damaged: {key} has shape") as caught:
        load(tmp_path)
    assert "not (3, 2" in str(caught.value)


def test_an_array_of_text_is_refused(tmp_path: Path) -> None:
    trace = make_trace()
    trace.arrays["mask"] = np.full((3, 2), "a")  # type: ignore[index]
    trace.save(tmp_path)
    found = load(tmp_path)
    assert isinstance(found, Trace)
    with pytest.raises(UserError, match=r"mask\.npy: damaged"):
        found.arrays["mask"]


def test_a_trace_that_does_not_say_its_precision_is_opened(tmp_path: Path) -> None:
    make_trace("m", precision="TF32").save(tmp_path / "t")
    assert load(tmp_path / "t").header.numbers == "float32 (TF32)"  # type: ignore[union-attr]
    file = tmp_path / "t" / "trace.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    del manifest["models"][0]["header"]["precision"]
    file.write_text(json.dumps(manifest), encoding="utf-8")
    assert load(tmp_path / "t").header.numbers == "float32"  # type: ignore[union-attr]


def test_a_trace_of_many_arrays_holds_few_file_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each map holds one, and a process often may have no more than 1,024."""
    monkeypatch.setattr(lazy_arrays, "MOST_MAPPED", 5)
    monkeypatch.setattr(lazy_arrays, "mapped", WeakSet())
    large = lazy_arrays.SMALL // 8 + 1
    values = {f"parameters/{n}": np.arange(large if n % 2 else 4) + n / 3 for n in range(20)}
    trace = make_trace()
    Trace(trace.header, {**trace.arrays, **values}).save(tmp_path / "run.trace")
    stored = load(tmp_path / "run.trace")
    assert isinstance(stored, Trace)
    for key, array in values.items():
        assert np.array_equal(stored.arrays[key], array)
        assert not stored.arrays[key].flags.writeable
    maps = [isinstance(stored.arrays[key], np.memmap) for key in values]
    assert maps == [n % 2 == 1 and n < 10 for n in range(20)]
    del stored
    again = load(tmp_path / "run.trace")
    assert isinstance(again, Trace)
    assert isinstance(again.arrays["parameters/19"], np.memmap)
