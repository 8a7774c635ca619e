"""The parameters of a TorchScript program, by the paths of its modules. No torch."""

from __future__ import annotations

import re
from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archive import Archive
from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor, ArchivedTensors
from lstmtui.models.checkpoints.names import Entry
from lstmtui.models.checkpoints.script_archive import Module, modules_of, read_script

_LARGEST_CODE, _MOST_CODE = 4 << 20, 16 << 20
"""Bytes of a file of code that is looked into, and of all."""
_CELLS = {"LSTM": "lstm", "LSTMCell": "lstm", "GRU": "gru", "GRUCell": "gru", "RNN": "", "RNNCell": ""}
"""The cells of PyTorch's modules; which of the plain RNNs one is stands in its code."""
_MODULES = "torch.nn.modules.rnn."
_NONLINEARITY = re.compile(
    r'Final\[str\] = "(?:RNN_)?(RELU|TANH|relu|tanh)"|\btorch\.rnn_(relu|tanh)(?:_cell)?\('
)
"""Where the code of a scripted module, or of a traced one, says which nonlinearity it has."""


class ScriptTensors(ArchivedTensors):
    """The parameters and buffers of a program that `torch.jit.save` wrote.

    Raises:
        UserError: the file is damaged, or its parameters have no names.
    """

    kind = "TorchScript program"

    def __init__(self, path: Path, archive: Archive) -> None:
        self._cells: dict[str, str] = {}
        self._code_left = _MOST_CODE
        self._plain_rnns: dict[type[Module], str] = {}
        super().__init__(path, archive)

    @property
    def cells(self) -> dict[str, str]:
        """The cell by the path of a module: its type says it, of the plain RNNs its code."""
        return self._cells

    def _described(self) -> dict[Entry, ArchivedTensor]:
        folder = self._archive.folder
        tensors: dict[Entry, ArchivedTensor] = {}
        for path, module in modules_of(read_script(self._archive)):
            for name, value in module.attributes.items():
                if isinstance(value, ArchivedTensor) and isinstance(name, str):
                    full = f"{path}.{name}" if path else name
                    tensors[(), full] = value._replace(member=f"{folder}data/{value.member}")
            kind = module.type_name.removeprefix(_MODULES)
            if module.type_name.startswith(_MODULES) and kind in _CELLS:
                self._cells[path] = _CELLS[kind] or self._plain_rnn(type(module))
        if not tensors and self._archive.has_folder(folder + "constants/"):
            raise UserError(
                f"{self._name} is a frozen TorchScript program (torch.jit.freeze), whose parameters have no "
                'names; use the program from before freezing, or torch.save(model.state_dict(), "weights.pt")'
            )
        return tensors

    def _plain_rnn(self, kind: type[Module]) -> str:
        """Which of the plain RNNs a module is, from its code; empty where that does not say it."""
        if kind not in self._plain_rnns:
            member = f"{self._archive.folder}code/{kind.code}.py"
            text = self._archive.text(member, min(_LARGEST_CODE, self._code_left))
            self._code_left -= len(text)
            self._plain_rnns[kind] = _nonlinearity(text, kind.type_name.rpartition(".")[2])
        return self._plain_rnns[kind]


def _nonlinearity(code: str, name: str) -> str:
    """The plain RNN that the code of a class is of; empty where it does not say that."""
    own = re.search(rf"^class {re.escape(name)}\(.*?(?=^class |\Z)", code, re.MULTILINE | re.DOTALL)
    nonlinearities = {(a or b).lower() for a, b in _NONLINEARITY.findall(own[0] if own else "")}
    return f"rnn_{nonlinearities.pop()}" if len(nonlinearities) == 1 else ""
