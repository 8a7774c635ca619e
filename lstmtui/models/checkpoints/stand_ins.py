"""What a pickle of tensors may call, by what stands for it here. No torch.

Each takes a few arguments and looks at them for a moment, so that no pickle keeps it busy for long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from lstmtui.models.checkpoints.archived_tensors import TUPLE, ArchivedTensor, checked_sizes
from lstmtui.models.checkpoints.batches import Batch
from lstmtui.models.checkpoints.opcodes import DICT

_NEW, _PUT, _PUT_ALL = dict.__new__, dict.__setitem__, dict.update


class Numbers(NamedTuple):
    """Where a tensor's numbers are; nothing in a pickle but its reference to a storage is one."""

    dtype: str
    key: str
    """Of their storage."""
    first: int
    """Where in it they begin."""


class _Dict(dict[str, Any]):
    """What is under the strings of a dict. No other key is asked for its hash."""

    __slots__ = ()

    def __init__(self) -> None:
        """It is empty."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) is str:
            _PUT(self, key, value)
        elif isinstance(value, Batch):
            _PUT_ALL(self, value.entries)

    def __setstate__(self, state: Any) -> None:
        """The attributes of a dict are left out."""


class _Callee:
    """What a pickle may call, but not use in any other way."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("its description changes a function")


def _callee(function: Callable[..., Any]) -> Any:
    """A function as a pickle may have it: a pickle could give attributes to a function of Python's."""
    return type("_Callee", (_Callee,), {"__slots__": (), "__call__": staticmethod(function)})()


def _tensor(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    _grad: Any = None,
    _hooks: Any = None,
    bits: Any = None,
) -> ArchivedTensor:
    """A dense tensor.

    Args:
        storage: its numbers.
        offset: of its first number in what the storage has.
        shape: its sizes.
        strides: in numbers.
        bits: `conj` and `neg` where the numbers are to be conjugated or negated.
    """
    if type(storage) is not Numbers or type(offset) is not int:
        raise ValueError("a tensor's storage is not valid")
    dtype, key, first = storage
    shape, strides = checked_sizes(shape), checked_sizes(strides)
    if len(shape) != len(strides) or not 0 <= offset + first < 1 << 40:
        raise ValueError("a tensor's shape is not valid")
    place = dtype, shape, strides, offset + first, "" if bits else key
    return TUPLE(ArchivedTensor, place)  # type: ignore[no-any-return]


def _tensor_of_dtype(
    storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, bits: Any = None
) -> ArchivedTensor:
    return _tensor(storage, offset, shape, strides, bits=bits)._replace(dtype=_checked_dtype(dtype))


def _quantised(
    storage: Any, offset: Any, shape: Any, strides: Any, _quantiser: Any, _grad: Any, _hooks: Any
) -> ArchivedTensor:
    return _tensor(storage, offset, shape, strides)


def _without_numbers(dtype: Any, shape: Any, _strides: Any = (), _grad: Any = None) -> ArchivedTensor:
    shape = checked_sizes(shape)
    return ArchivedTensor(_checked_dtype(dtype), shape, (0,) * len(shape), 0, "")


def _sparse(_layout: Any, data: Any) -> ArchivedTensor:
    """A sparse tensor, of indices, one tensor or two, then values, then its shape."""
    last = max(n for n, part in enumerate(data[:4]) if type(part) is ArchivedTensor)
    return _without_numbers(data[last].dtype, data[last + 1])


def _wrapped(
    _cls: Any, dtype: Any, shape: Any, _strides: Any, _offset: Any, _layout: Any, _device: Any, _grad: Any
) -> ArchivedTensor:
    return _without_numbers(dtype, shape)


def _typed(function: Any, _type: Any, arguments: Any, _state: Any) -> Any:
    if not isinstance(function, _Callee) or type(arguments) is not tuple:
        raise ValueError("its description calls what is no function")
    return function(*arguments)  # type: ignore[operator]  # what `_callee` returns has __call__


def _on_device(data: Any, dtype: Any, _device: Any, _grad: Any) -> ArchivedTensor:
    if type(data) is not ArchivedTensor or data.dtype != _checked_dtype(dtype):
        raise ValueError("a tensor's dtype is not valid")
    return data


def _checked_dtype(dtype: Any) -> str:
    if type(dtype) is not str:
        raise ValueError("a tensor's dtype is not valid")
    return dtype


def _same(value: Any, _1: Any = None, _2: Any = None, _3: Any = None) -> Any:
    return value


def _nothing(_1: Any = None, _2: Any = None, _3: Any = None, _4: Any = None) -> None:
    """Of what is no tensor, nothing is kept."""


def _counter(counts: Any = None) -> Any:
    return counts if isinstance(counts, _Dict) else _Dict()


def _ordered(pairs: Any = None) -> _Dict:
    """An OrderedDict; Python 2 gives its pairs as an argument.

    They are taken from the list: a pickle that gives one list many times would let it be copied many times.
    """
    made: _Dict = _NEW(_Dict)
    if type(pairs) is list:
        for pair in pairs:
            made[pair[0]] = pair[1]
        pairs.clear()
    return made


_REBUILDERS: Mapping[str, Callable[..., Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor_of_dtype,
    "_rebuild_qtensor": _quantised,
    "_rebuild_sparse_tensor": _sparse,
    "_rebuild_meta_tensor_no_storage": _without_numbers,
    "_rebuild_wrapper_subclass": _wrapped,
    "_rebuild_parameter": _same,
    "_rebuild_parameter_with_state": _same,
    "_rebuild_device_tensor_from_cpu_tensor": _on_device,
    "_rebuild_nested_tensor": _nothing,
}
_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag")
_OF_NO_TENSOR = (
    ("_codecs", "encode"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
    ("builtins", "set"),
    ("torch", "Tensor"),
    ("torch", "device"),
    ("torch", "per_channel_affine"),
    ("torch", "per_channel_affine_float_qparams"),
    ("torch", "per_channel_symmetric"),
    ("torch", "per_tensor_affine"),
    ("torch", "per_tensor_symmetric"),
    ("torch.serialization", "_get_layout"),
)
CALLED: Mapping[tuple[str, str], Any] = {
    DICT: _Dict,
    **{("torch._utils", name): _callee(function) for name, function in _REBUILDERS.items()},
    **{("torch.jit._pickle", name): _callee(_same) for name in _LISTS},
    **{name: _callee(_nothing) for name in _OF_NO_TENSOR},
    ("torch", "Size"): _callee(_same),
    ("torch.nn.parameter", "Parameter"): _callee(_same),
    ("torch._tensor", "_rebuild_from_type_v2"): _callee(_typed),
    ("collections", "OrderedDict"): _callee(_ordered),
    ("collections", "Counter"): _callee(_counter),
}
"""What `torch.load(weights_only=True)` would call, by what stands for it here."""
