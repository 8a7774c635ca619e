"""Numbers, text and arrays in tuples and mappings, as bytes and back; nothing else travels. No torch."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lstmtui.python_parser import retried

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_TREE = "tree"


def write_plain(stream: IO[bytes], value: Any) -> None:
    """Write a value as an .npz file: a tree in JSON, in which an array is its number, and the arrays."""
    arrays: list[Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, Mapping):
            return {"mapping": {key: plain(inner) for key, inner in value.items()}}
        return [plain(inner) for inner in value] if isinstance(value, (tuple, list)) else value

    text = np.frombuffer(json.dumps(plain(value)).encode(), np.uint8)
    members: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)} | {_TREE: text}
    np.savez(stream, **members)


def read_plain(content: bytes) -> Any:
    """The value that `write_plain` wrote; lists are tuples.

    Raises:
        ValueError: it is something else.
    """

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(whole(inner) for inner in value)
        if not isinstance(value, dict):
            return value
        if "array" in value:
            name = str(value["array"])
            return retried(lambda: file[name])
        return {key: whole(inner) for key, inner in value["mapping"].items()}

    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            return whole(json.loads(retried(lambda: file[_TREE]).tobytes()))
    except (KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not what was written: {error}") from error
