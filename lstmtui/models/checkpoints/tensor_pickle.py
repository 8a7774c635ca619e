"""Pickles that describe tensors, read without calling anything that they name. No torch.

What `torch.save` and TorchScript write is the pickle protocol 2 of Python:
https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, NoReturn

from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor, checked_sizes

LARGEST_PICKLE = 128 << 20
"""Bytes of a description; the tensors' numbers are elsewhere."""

_ARGUMENTS = {
    0: "MARK POP POP_MARK NONE NEWTRUE NEWFALSE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND "
    "APPENDS EMPTY_DICT SETITEM SETITEMS REDUCE NEWOBJ BUILD BINPERSID",
    1: "PROTO BININT1 BINPUT BINGET",
    2: "BININT2",
    4: "BININT LONG_BINGET",
    8: "BINFLOAT FRAME",
}
"""Opcodes by how many bytes follow them. What is in none of these tables is not executed: some claim any
amount of memory."""
_COUNTED = {"LONG1": 1, "SHORT_BINSTRING": 1, "SHORT_BINUNICODE": 1, "BINUNICODE": 4}
"""Opcodes that say how many bytes follow, by how many bytes say so."""
_CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
_NAMES = {code: name for name, code in _CODES.items()}
_PREFIXES = {_CODES[name]: count for name, count in _COUNTED.items()}
_DTYPES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    **{f"{name}Storage": name.lower() for name in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")},
}
_DTYPE = re.compile(r"(?:b?float|complex|q?u?int|bits)\d+\w*|bool")
_SHORT = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def end_of_pickle(content: bytes | mmap.mmap, start: int = 0) -> int:
    """Where a pickle ends that has nothing but opcodes which are safe to execute.

    An entry of its memo takes memory up to its number, so no number may be larger than the pickle is long.

    Raises:
        ValueError: it has others, or no end; a sentence.
    """
    last = min(len(content) - start, LARGEST_PICKLE)
    high = [bytes((min(255, last // 3 >> shift),)) for shift in (16, 24)]
    put = b"[\0-\\x%02x][\0-\\x%02x]" % (high[0][0] if high[1] == b"\0" else 255, high[1][0])
    run = re.compile(_fixed() + rb"|r.." + put + rb")*+", re.DOTALL)
    at = start
    while at - start <= last:
        match = run.match(content, at)
        assert match is not None  # it may be empty
        at = match.end()
        code = content[at : at + 1]
        prefix = _PREFIXES.get(code)
        if code == b".":
            return at + 1
        if prefix is None:
            break
        at += 1 + prefix + int.from_bytes(content[at + 1 : at + 1 + prefix], "little")
    if at - start > LARGEST_PICKLE:
        raise ValueError(f"what describes its tensors has more than {LARGEST_PICKLE >> 20} MiB")
    if at >= len(content):
        raise ValueError("it is cut off")
    opcode = _NAMES.get(content[at : at + 1], f"{content[at]}")
    raise UnsafeOpcodeError(f"its description has a {opcode}, which PyTorch does not write")


def _fixed() -> bytes:
    """The beginning of a pattern for opcodes that all have as many bytes as their kind."""
    parts = [rb"c[^\n]*+\n[^\n]*+\n"]
    for count, names in _ARGUMENTS.items():
        codes = b"".join(re.escape(_CODES[name]) for name in names.split())
        parts.append(b"[" + codes + b"]" + b"." * count)
    return b"(?:" + b"|".join(reversed(parts))


class UnsafeOpcodeError(ValueError):
    """An opcode that no description of tensors has."""


class CalleeError(pickle.UnpicklingError):
    """A pickle names something that is not read; `callee` is its full name."""

    def __init__(self, callee: str) -> None:
        super().__init__(f"opening it would call {callee}")
        self.callee = callee


class TensorUnpickler(pickle.Unpickler):
    """Makes dicts, lists and descriptions of tensors, and refuses to call anything else.

    Args:
        content: a pickle that :func:`end_of_pickle` has passed.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content), encoding="utf-8", errors="replace")
        self.storages: dict[str, str] = {}
        """The dtype of the numbers under each key."""

    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module  # as Python 2 called it
        callee = _CALLED.get((module, name))
        if callee is not None:
            return callee
        if name.endswith("Storage") and module in ("torch", "torch.cuda", "torch.storage"):
            return name
        if module == "torch" and _DTYPE.fullmatch(name):
            return _SHORT.get(name, name)
        raise CalleeError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) < 3 or pid[0] != "storage":
            raise ValueError("its description has a tensor without numbers")
        storage, key, view = pid[1], pid[2], pid[5] if len(pid) > 5 else None
        if not isinstance(storage, str) or not isinstance(key, str):
            raise ValueError("its description has a tensor without numbers")
        dtype = self.storages.setdefault(key, _DTYPES.get(storage, storage))
        return dtype, key, view[1] if isinstance(view, tuple) else 0


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any, dtype: str = ""
) -> ArchivedTensor:
    stored_dtype, key, first = storage
    shape, strides, (offset,) = checked_sizes(shape), checked_sizes(strides), checked_sizes([offset + first])
    if len(shape) != len(strides):
        raise ValueError("a tensor's shape is not valid")
    return ArchivedTensor(dtype or stored_dtype, shape, strides, offset, key)


def _tensor_of_dtype(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> ArchivedTensor:
    return _tensor(storage, offset, shape, strides, dtype=str(rest[2]))


def _without_numbers(dtype: Any, shape: Any, *_: Any) -> ArchivedTensor:
    shape = checked_sizes(shape)
    return ArchivedTensor(str(dtype), shape, (0,) * len(shape), 0, "")


def _sparse(_: Any, data: Any) -> ArchivedTensor:
    return _without_numbers(data[1].dtype, data[2])


def _of_subclass(_: Any, *data: Any) -> ArchivedTensor:
    return _without_numbers(*data)


def _typed(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    return function(*arguments)


def _same(value: Any, *_: Any) -> Any:
    return value


def _nothing(*_: Any) -> None:
    return None


class _Mapping(dict[Any, Any]):
    """A dict whose pickle may say more of it, which is left out."""

    def __setstate__(self, state: Any) -> None:
        """Nothing of it is kept."""


class _Call:
    """A function that a pickle may call, but not use in any other way."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("its description changes a function")


_REBUILDERS: Mapping[str, Callable[..., Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor_of_dtype,
    "_rebuild_qtensor": _tensor,
    "_rebuild_sparse_tensor": _sparse,
    "_rebuild_meta_tensor_no_storage": _without_numbers,
    "_rebuild_wrapper_subclass": _of_subclass,
    "_rebuild_parameter": _same,
    "_rebuild_parameter_with_state": _same,
    "_rebuild_device_tensor_from_cpu_tensor": _same,
}
_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag")
_OF_NO_TENSOR = (
    ("_codecs", "encode"),
    ("builtins", "complex"),
    ("builtins", "set"),
    ("torch", "device"),
    ("torch", "per_channel_affine"),
    ("torch", "per_channel_affine_float_qparams"),
    ("torch", "per_channel_symmetric"),
    ("torch", "per_tensor_affine"),
    ("torch", "per_tensor_symmetric"),
    ("torch.serialization", "_get_layout"),
)
_CALLED: Mapping[tuple[str, str], Any] = {
    **{("torch._utils", name): _Call(function) for name, function in _REBUILDERS.items()},
    **{("torch.jit._pickle", name): _Call(_same) for name in _LISTS},
    **{name: _Call(_nothing) for name in _OF_NO_TENSOR},
    ("torch", "Size"): _Call(_same),
    ("torch", "Tensor"): _Call(_nothing),
    ("torch.nn.parameter", "Parameter"): _Call(_same),
    ("torch._tensor", "_rebuild_from_type_v2"): _Call(_typed),
    ("collections", "OrderedDict"): _Mapping,
    ("collections", "Counter"): _Mapping,
}
"""What `torch.load(weights_only=True)` would call, by what stands for it here."""
