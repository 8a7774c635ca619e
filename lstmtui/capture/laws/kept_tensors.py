"""The tensors that modules keep on themselves from call to call."""

from __future__ import annotations

from torch import Tensor, nn

from lstmtui.capture.arguments import tensors_in
from lstmtui.models.torch_compat import own_buffers


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Copies of plain attributes and buffers, by path, name and number in a tuple; no running statistics."""
    kept = {}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if not name.startswith("_"):
                for number, tensor in enumerate(tensors_in(value)):
                    if isinstance(tensor, Tensor):
                        kept[f"{path}.{name}.{number}"] = tensor.detach().clone()
        if not isinstance(module, nn.modules.batchnorm._NormBase):
            for name, buffer in own_buffers(module).items():
                if buffer is not None:
                    kept[f"{path}.{name}.0"] = buffer.detach().clone()
    return kept
