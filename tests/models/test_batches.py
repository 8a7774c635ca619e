"""Batches of entries in a pickle, taken apart at once: what is read is what the unpickler reads, always."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.pickles import tensors_of

from lstmtui.errors import UserError
from lstmtui.models.checkpoints import pickle as descriptions
from lstmtui.models.checkpoints.batches import Batch
from lstmtui.models.checkpoints.opcodes import harmless
from lstmtui.models.checkpoints.tensor_batches import TensorBatch
from lstmtui.models.checkpoints.version_batches import VersionBatch

NUMBERS = torch.arange(4000.0)


def state_dict(count: int) -> OrderedDict[str, torch.Tensor]:
    """Tensors of several kinds and shapes, some of which share their numbers."""
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    for i in range(count):
        state[f"l{i}.weight_hh_l0"] = torch.full((4, 1), float(i))
        others = {
            3: torch.tensor(i),
            4: torch.full((2, 3, 4, 5), i, dtype=torch.float16),
            5: NUMBERS[i : i + 12].reshape(4, 3).t(),
            7: NUMBERS[i % 50 : 3000 : 500],
            11: torch.zeros(0, 3),
        }
        state |= {f"l{i}.é{n}": tensor for n, tensor in others.items() if i % n == 0}
    return state


@pytest.mark.parametrize("zipped", [True, False])
def test_a_large_state_dict_is_read_as_torch_reads_it(tmp_path: Path, zipped: bool) -> None:
    path, state = tmp_path / "c.pt", state_dict(2000)
    state["tied"] = state["l1500.weight_hh_l0"]
    state._metadata = OrderedDict((f"l{i}", {"version": 1}) for i in range(2000))  # type: ignore[attr-defined]
    torch.save({"model": state, "ema": state_dict(500)}, path, _use_new_zipfile_serialization=zipped)
    stored, loaded = tensors_of(path), torch.load(path, weights_only=True)
    assert [*stored.tensors] == [((key,), name) for key, tensors in loaded.items() for name in tensors]
    for (keys, name), tensor in stored.tensors.items():
        expected = loaded[keys[0]][name]
        assert (tensor.shape, tensor.strides) == (expected.shape, expected.stride())
        assert tensor.offset == expected.storage_offset()
        if expected.is_floating_point():
            np.testing.assert_array_equal(stored.read((keys, name)), expected.float().numpy())


class _SmallBatches(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Python's own pickler, whose batches are of a thousand."""

    _BATCHSIZE = 40


def pickled(value: Any) -> bytes:
    """How torch describes it, in small batches."""
    stream, pickler = io.BytesIO(), types.ModuleType("pickler")
    pickler.__dict__.update(Pickler=_SmallBatches)
    torch.save(value, stream, pickle_module=pickler)
    with zipfile.ZipFile(stream) as archive:
        return archive.read("archive/data.pkl")


def answers(content: bytes, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is read of a description where batches may be taken apart, and where they may not be."""
    read = []
    for is_whole in (False, True):
        with monkeypatch.context() as patch:
            if is_whole:
                patch.setattr(descriptions, "harmless", lambda pickle, start, **_: harmless(pickle, start))
            try:
                description = descriptions.read_description(content, "c.pt")
                entries = [*descriptions.entries_of(description.value)]
                value = repr(description.value)  # which may be within itself
                read.append((entries, value, [*description.storages.items()], description.end))
            except (UserError, ValueError) as error:
                read.append((type(error), str(error)))
    return read


def spoilt(opcodes: list[bytes], rng: random.Random) -> bytes:
    """A pickle with some opcodes changed, most of them where a batch ends."""
    opcodes = opcodes.copy()
    entry = rng.randrange(2000)
    get = b"h%c" % entry if entry < 256 else b"j" + entry.to_bytes(4, "little")
    put = b"q%c" % entry if entry < 256 else b"r" + entry.to_bytes(4, "little")
    tied = [b"X\2\0\0\0ab", get]
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(2, len(opcodes) - 1)
        kind = rng.randrange(6)
        if kind == 0:
            del opcodes[at]
        elif kind == 1:
            opcodes[at] = rng.choice(opcodes)
        else:
            codes = {2: b"u", 3: b"q r", 4: b"h j", 5: b"X"}[kind]
            at = next((n for n in range(at, len(opcodes) - 1) if opcodes[n][:1] in codes), 2)
            opcodes[at : at + 1] = {
                2: rng.choice(
                    ([*tied, b"u"], [b"u", get, b"0"], [b"u", put], [b"s"], [b"0", b"u"], [b"t", b"0"])
                ),
                3: [put],
                4: [get],
                5: [rng.choice((b"X\2\0\0\0\xff\xfe", b"X\3\0\0\0\xed\xa0\x80", b"X\x60\0\0\0" + b"a" * 96))],
            }[kind]
    return b"".join(opcodes)


def of_tensors() -> Any:
    state = state_dict(60)
    return {"model": state, "tied": {"a": state["l50.weight_hh_l0"], "b": state["l3.weight_hh_l0"]}}


def of_versions() -> Any:
    """Those of modules, among them other numbers and keys; so many that the memo's opcodes are long."""
    versions = {f"l{i}": {"version": 2 if i % 7 else 70_000} for i in range(300)}
    others = {f"o{i}": {"other": i} for i in range(100)}
    return {"a": torch.zeros(2), "versions": versions, "others": others, "again": {"l1": versions["l1"]}}


@pytest.mark.parametrize(("value", "kind"), [(of_tensors(), TensorBatch), (of_versions(), VersionBatch)])
def test_what_is_wrong_in_a_batch_is_read_opcode_by_opcode(
    value: Any, kind: type[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pickled(value)
    assert {type(batch) for batch in harmless(whole, is_whole=False).batches} == {kind}
    places = [place for _, _, place in pickletools.genops(whole)]
    opcodes = [whole[start:end] for start, end in zip(places, [*places[1:], len(whole)], strict=True)]
    rng = random.Random(0)
    sound = 0
    for content in [whole, *(spoilt(opcodes, rng) for _ in range(300))]:
        quick, thorough = answers(content, monkeypatch)
        assert quick == thorough
        sound += type(quick[0]) is list
    assert 40 < sound < 260
