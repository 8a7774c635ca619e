"""Layers of batch normalisation whose mean and variance are those of the batch they are given."""

from __future__ import annotations

from typing import Any

from torch import nn


def norms_in_training(model: Any) -> list[tuple[str, nn.Module]]:
    """The batch norms that mix the sequences of a batch, by their paths."""
    if not isinstance(model, nn.Module):
        return []
    kind = nn.modules.batchnorm._BatchNorm
    named = [(path, m) for path, m in model.named_modules() if isinstance(m, kind)]
    return [(path, m) for path, m in named if m.training or not m.track_running_stats]
