"""The modules and tensors of a TorchScript archive, read without running any of its code. No torch.

The layout of the archive:
https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/docs/serialization.md
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator
from typing import Any

from lstmtui.models.checkpoints.archive import Archive
from lstmtui.models.checkpoints.opcodes import LARGEST_PICKLE, Pickle, harmless
from lstmtui.models.checkpoints.tensor_pickle import TensorUnpickler

DEEPEST = 64
"""How many modules within modules are looked into."""
MOST_CHARACTERS = 64 << 20
"""Of the names of all attributes, each with its module's path."""
MOST_CLASSES = 1 << 18


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
    waiting, seen, characters = deque([("", root)]), {id(root)}, 0
    while waiting:
        path, module = waiting.popleft()
        yield path, module
        for name, value in module.attributes.items():
            characters += len(path) + len(name)
            if characters > MOST_CHARACTERS:
                raise ValueError("the names of its modules are too long")
            inner = f"{path}.{name}" if path else name
            is_new = isinstance(value, Module) and id(value) not in seen
            if is_new and inner.count(".") < DEEPEST:
                seen.add(id(value))
                waiting.append((inner, value))


def read_script(archive: Archive) -> Module:
    """The module that a TorchScript archive holds.

    Raises:
        ValueError: its description is damaged, or asks for more than modules and tensors; a sentence.
    """
    member = archive.folder + "data.pkl"
    if archive.size(member) > LARGEST_PICKLE:
        raise ValueError(f"its description of modules has more than {LARGEST_PICKLE >> 20} MiB")
    pickled = harmless(archive.read(member))
    try:
        root = _Reader(pickled).load()
    except (pickle.UnpicklingError, ValueError):
        raise
    except Exception as error:  # whatever a damaged pickle makes the unpickler stumble over
        raise ValueError(f"its description of modules is damaged ({type(error).__name__})") from None
    if not isinstance(root, Module):
        raise ValueError("it holds no module")
    return root


class _Reader(TensorUnpickler):
    """Makes modules, too."""

    def __init__(self, pickled: Pickle) -> None:
        super().__init__(pickled)
        self._classes: dict[tuple[str, str], type[Module]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return self._classes.get((module, name)) or self._new_class(module, name)
        if name == "_rebuild_qtensor":
            raise ValueError("its weights are quantised; use the program from before quantisation")
        return super().find_class(module, name)

    def _new_class(self, module: str, name: str) -> type[Module]:
        if len(self._classes) == MOST_CLASSES:
            raise ValueError(f"it has more than {MOST_CLASSES:,} classes")
        # A mangled name stands for another type of the same class: ___torch_mangle_3.
        plain = [part for part in module.split(".")[1:] if not part.startswith("___torch_mangle_")]
        names = {"type_name": ".".join((*plain, name)), "code": module.replace(".", "/")}
        made = self._classes[module, name] = type("Module", (Module,), names)
        return made
