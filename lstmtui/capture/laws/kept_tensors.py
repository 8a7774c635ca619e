"""The tensors that modules keep on themselves from call to call."""

from __future__ import annotations

from torch import Tensor, nn

from lstmtui.capture.equality import equal
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.subject import Subject
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.modules.plain_attributes import plain_attributes
from lstmtui.models.torch_compat import own_buffers


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Copies of plain attributes and buffers, by path, name and number in a tuple; no running statistics."""
    kept = {}
    for path, module in model.named_modules():
        for name, value in plain_attributes(module):
            for number, tensor in enumerate(tensors_in(value)):
                if isinstance(tensor, Tensor):
                    kept[f"{path}.{name}.{number}"] = tensor.detach().clone()
        if not isinstance(module, nn.modules.batchnorm._NormBase):
            for name, buffer in own_buffers(module).items():
                if buffer is not None:
                    kept[f"{path}.{name}.0"] = buffer.detach().clone()
    return kept


def kept_by_call(subject: Subject, inputs: Inputs) -> list[str]:
    """The names of those that a call with these inputs, fresh, makes or changes."""
    with subject.fresh():
        before = kept_tensors(subject.model)
        subject.call(inputs)
        after = kept_tensors(subject.model)
    return [name for name, tensor in after.items() if name not in before or not equal(before[name], tensor)]
