"""Copies of the parameters of a model whose code is watched, of as few as have changed."""

from __future__ import annotations

from torch import Tensor, nn

from lstmtui.capture.autograd_state import unobserved
from lstmtui.capture.modules.interception import kind_of
from lstmtui.capture.modules.wrapped import joined, named_modules
from lstmtui.models.torch_compat import has_values, version_of


class ParameterCopies:
    """The parameters of a model as they are at each of its calls, those of recurrent modules left out.

    Args:
        root: the model.
    """

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._latest: dict[str, tuple[Tensor, int, Tensor]] = {}
        """By name: the parameter, how often it had been written into, and its copy."""

    def now(self) -> dict[str, Tensor]:
        """Copies of them by name; of one that nothing was written into since, the copy made before."""
        for path, part in named_modules(self._root):
            for name, parameter in part.named_parameters(recurse=False) if kind_of(part) is None else ():
                full, version = joined(path, name), version_of(parameter)
                before = self._latest.get(full)
                is_same = before is not None and before[0] is parameter and before[1] == version
                if not is_same and has_values(parameter):
                    with unobserved():
                        self._latest[full] = parameter, version, parameter.detach().clone()
        return {name: copy for name, (_, _, copy) in self._latest.items()}
