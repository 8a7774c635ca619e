"""The modules and tensors of a TorchScript archive, read without running any of its code. No torch.

The layout of the archive:
https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/docs/serialization.md
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import IO, Any, NoReturn

from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor, checked_sizes

LARGEST_PICKLE = 64 << 20
"""Bytes of `data.pkl`, which describes the modules; the numbers are elsewhere."""
DEEPEST = 64
"""How many modules within modules are looked into."""
_OPCODES = frozenset(
    """
    PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE
    SHORT_BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM
    SETITEMS GLOBAL REDUCE NEWOBJ BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET
    """.split()  # noqa: SIM905
)
"""What TorchScript writes. None of the others is executed: some claim any amount of memory."""
_STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
}


class Module:
    """An object of one of the archive's own classes: its attributes, and nothing that could be called."""

    type_name = ""
    """Its class in Python: torch.nn.modules.rnn.LSTM."""
    code = ""
    """The path of the file of its code in the archive's folder, without ".py"."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


def modules_of(root: Module) -> Iterator[tuple[str, Module]]:
    """Every module by its path, the root's empty; each once."""
    waiting, seen = [("", root)], {id(root)}
    while waiting:
        path, module = waiting.pop(0)
        yield path, module
        for name, value in module.attributes.items():
            inner = f"{path}.{name}" if path else name
            is_new = isinstance(value, Module) and id(value) not in seen
            if is_new and isinstance(name, str) and inner.count(".") < DEEPEST:
                seen.add(id(value))
                waiting.append((inner, value))


def read_script(archive: zipfile.ZipFile, folder: str) -> Module:
    """The module that a TorchScript archive holds.

    Args:
        archive: the file.
        folder: in which everything of it is, with a "/" at the end.

    Raises:
        ValueError: its description is damaged, or asks for more than modules and tensors; a sentence.
    """
    if archive.getinfo(folder + "data.pkl").file_size > LARGEST_PICKLE:
        raise ValueError(f"its description of modules has more than {LARGEST_PICKLE >> 20} MiB")
    content = archive.read(folder + "data.pkl")
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content), 1):
        is_far = opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > count
        if opcode.name not in _OPCODES or is_far:
            raise ValueError(
                f"its description of modules has a {opcode.name}, which TorchScript does not write"
            )
    try:
        root = _Reader(BytesIO(content)).load()
    except (pickle.UnpicklingError, ValueError):
        raise
    except Exception as error:  # whatever a damaged pickle makes the unpickler stumble over
        raise ValueError(f"its description of modules is damaged ({type(error).__name__})") from None
    if not isinstance(root, Module):
        raise ValueError("it holds no module")
    return root


class _Reader(pickle.Unpickler):
    """Makes modules and descriptions of tensors, and refuses to call anything else."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._classes: dict[tuple[str, str], type[Module]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            # A mangled name stands for another type of the same class: ___torch_mangle_3.
            plain = [part for part in module.split(".")[1:] if not part.startswith("___torch_mangle_")]
            names = {"type_name": ".".join((*plain, name)), "code": module.replace(".", "/")}
            return self._classes.setdefault((module, name), type("Module", (Module,), names))
        if (module, name) in _CALLED:
            return _CALLED[module, name]
        if module == "torch" and name.endswith("Storage"):
            return name
        if name == "_rebuild_qtensor":
            raise pickle.UnpicklingError(
                "its weights are quantised; use the program from before quantisation"
            )
        raise pickle.UnpicklingError(f"opening it would call {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, *_ = pid
        if kind != "storage" or not isinstance(storage, str) or not isinstance(key, str):
            raise ValueError("its description of modules has a tensor without numbers")
        return storage, key


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> ArchivedTensor:
    kind, key = storage
    shape, strides, (offset,) = checked_sizes(shape), checked_sizes(strides), checked_sizes([offset])
    if len(shape) != len(strides):
        raise ValueError("a tensor's shape is not valid")
    return ArchivedTensor(_STORAGES.get(kind, kind), shape, strides, offset, key)


def _same(value: Any, *_: Any) -> Any:
    return value


def _mapping(*_: Any) -> dict[Any, Any]:
    return {}


class _Call:
    """A function that a pickle may call, but not use in any other way."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("its description of modules changes a function")


_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag")
_CALLED: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_tensor),
    ("collections", "OrderedDict"): _Call(_mapping),
    **{("torch.jit._pickle", name): _Call(_same) for name in _LISTS},
}
"""What an archive may call, by what stands for it here."""
