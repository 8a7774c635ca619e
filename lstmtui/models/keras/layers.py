"""The layers of a Keras file by PyTorch's names: gates in PyTorch's order, matrices as it has them. No torch.

In Keras a gate is σ(x · kernel + h · recurrent_kernel + bias); its columns are in the order i f c o of an
LSTM and z r h of a GRU (https://keras.io/api/layers/recurrent_layers/lstm/, …/gru/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lstmtui.models.keras.config import KerasLayer, layers_of
from lstmtui.models.keras.file import KerasFile

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_ROWS = {
    "lstm": (0, 1, 2, 3),
    "gru": (1, 0, 2),
    "gru_reset_before": (1, 0, 2),
    "rnn_tanh": (0,),
    "rnn_relu": (0,),
}
"""Keras's blocks of columns in the order of our blocks of rows."""
_ASSUMED = {4: "lstm", 3: "gru_reset_before", 1: "rnn_tanh"}
"""By the number of blocks, where no configuration says the cell."""
_UNSAID = "the file does not say its activations: tanh and sigmoid are taken"


@dataclass
class KerasWeights:
    """A Keras file's weights as a checkpoint of PyTorch has them."""

    tensors: dict[str, Array] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)
    """The cell of each recurrent layer that can be debugged, by its name."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Why another recurrent layer cannot, by its name."""
    remark: str = ""
    """What is to be known of all layers."""


def keras_weights(file: KerasFile) -> KerasWeights:
    """The recurrent layers, Dense and Embedding of a file, by their layers' names."""
    layers = tuple(layers_of(file.model))
    done = KerasWeights(remark="" if layers else _UNSAID)
    for group, weights in file.groups.items():
        base, is_backward = _base(group)
        layer = _layer_of(base, layers)
        name = layer.name if layer else base.rpartition("/")[2]
        if "recurrent_kernel" in weights and "kernel" in weights:
            end = "_l0_reverse" if is_backward else "_l0"
            cell, wrong = layer.cell if layer else (_assumed(weights), "")
            if f"{name}.weight_ih{end}" in done.tensors:
                wrong = "it holds several cells"
            wrong = wrong or _misfit(cell, weights)
            if wrong:
                done.wrong.setdefault(name, wrong)
            elif layer or cell != _ASSUMED[1]:
                done.cells[name] = cell
            tensors = _as_they_are(weights) if wrong else _recurrent(cell, weights)
            done.tensors |= {f"{name}.{own}{end}": array for own, array in tensors.items()}
        elif "embeddings" in weights or (layer and layer.kind == "Embedding" and "kernel" in weights):
            done.tensors[f"{name}.weight"] = weights["embeddings" if "embeddings" in weights else "kernel"]
        elif "kernel" in weights and weights["kernel"].ndim == 2:
            done.tensors[f"{name}.weight"] = _turned(weights["kernel"])
            if "bias" in weights:
                done.tensors[f"{name}.bias"] = weights["bias"]
    return done


def _base(group: str) -> tuple[str, bool]:
    """The group of a layer that a group of weights belongs to, and whether it is the backward direction."""
    head, _, last = group.rpartition("/")
    if last == "cell" or "_cell" in last:
        group, (head, _, last) = head, head.rpartition("/")
    is_backward = last.startswith("backward_")
    return (head if is_backward or last.startswith("forward_") else group), is_backward


def _layer_of(base: str, layers: Iterable[KerasLayer]) -> KerasLayer | None:
    """The layer of the configuration that a group is of: by its place in Keras 3, by its name before."""
    if base.startswith("layers/"):
        return next((layer for layer in layers if f"{base}/".startswith(f"{layer.group}/")), None)
    by_name = {layer.name: layer for layer in layers}
    return next((by_name[part] for part in reversed(base.split("/")) if part in by_name), None)


def _assumed(weights: Mapping[str, Array]) -> str:
    """The cell of weights without a configuration, by their shapes."""
    rows, columns = weights["recurrent_kernel"].shape[0], weights["recurrent_kernel"].shape[-1]
    cell = _ASSUMED.get(columns // max(rows, 1), "lstm")
    return (
        "gru" if cell == "gru_reset_before" and weights.get("bias", weights["kernel"][0]).ndim == 2 else cell
    )


def _misfit(cell: str, weights: Mapping[str, Array]) -> str:
    """What does not fit together; empty where all does."""
    kernel, recurrent, bias = weights["kernel"], weights["recurrent_kernel"], weights.get("bias")
    columns = len(_ROWS[cell]) * recurrent.shape[0]
    if recurrent.ndim != 2 or recurrent.shape[1] != columns or kernel.ndim != 2 or kernel.shape[1] != columns:
        return f"its kernels {kernel.shape} and {recurrent.shape} are not those of a {cell}"
    if bias is not None and bias.shape != ((2, columns) if cell == "gru" else (columns,)):
        return f"its bias {bias.shape} is not that of a {cell}"
    return ""


def _recurrent(cell: str, weights: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of one direction."""
    rows = _ROWS[cell]

    def ordered(array: Array) -> Array:
        blocks = np.split(array, len(rows), axis=-1)
        return _turned(np.concatenate([blocks[row] for row in rows], axis=-1))

    parameters = {"weight_ih": ordered(weights["kernel"]), "weight_hh": ordered(weights["recurrent_kernel"])}
    bias = weights.get("bias")
    if bias is not None:
        # One bias, where PyTorch adds two; a GRU that resets after its product keeps both.
        own, recurrent = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        parameters |= {"bias_ih": ordered(own), "bias_hh": ordered(recurrent)}
    return parameters


def _as_they_are(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The matrices of a layer that cannot be debugged, by whose names it is listed."""
    return {"weight_ih": _turned(weights["kernel"]), "weight_hh": _turned(weights["recurrent_kernel"])}


def _turned(array: Array) -> Array:
    return np.ascontiguousarray(array.T)
