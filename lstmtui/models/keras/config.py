"""The recurrent layers that a Keras model's configuration describes. No Keras, and nothing of it is run.

Keras's layers: https://keras.io/api/layers/recurrent_layers/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 32
"""How many models within models are looked into."""
_LIKE = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
"""Cells in an `RNN` layer, by the layer that computes the same."""


@dataclass(frozen=True)
class KerasLayer:
    """The configuration of one layer."""

    name: str
    group: str
    """Where its weights are in a file of Keras 3: layers/lstm_1."""
    kind: str
    """LSTM, GRU, SimpleRNN; of a wrapper, that of the layer in it; of others their own class."""
    config: Mapping[str, Any]
    bidirectional: bool = False

    @property
    def cell(self) -> tuple[str, str]:
        """The cell that computes the same, and why there is none: one of the two is empty."""
        if self.kind not in _LIKE.values():
            return "", f"it is a layer of Keras's class {self.kind}; LSTM, GRU and SimpleRNN are debugged"
        if self.config.get("go_backwards"):
            return "", "it reads its input backwards alone (go_backwards = True)"
        activation, gates = (_word(self.config.get(key)) for key in ("activation", "recurrent_activation"))
        if self.kind == "SimpleRNN":
            named = {"tanh": "rnn_tanh", "relu": "rnn_relu"}.get(activation, "")
            return (
                (named, "") if named else ("", f"its activation is {activation}; tanh and relu are debugged")
            )
        if activation != "tanh" or gates != "sigmoid":
            return "", f"its activations are {activation} and {gates}; tanh and sigmoid are debugged"
        if self.kind == "LSTM":
            return "lstm", ""
        return ("gru" if self.config.get("reset_after") else "gru_reset_before"), ""


def layers_of(model: Mapping[str, Any]) -> Iterator[KerasLayer]:
    """Every layer of a model and of the models in it, in the order of the model.

    Args:
        model: `{"class_name": …, "config": …}`, as Keras writes it; nobody has checked it.
    """
    yield from _layers(model, "", 0)


def _layers(model: Mapping[str, Any], prefix: str, depth: int) -> Iterator[KerasLayer]:
    config = _mapping(model.get("config"))
    counts: Counter[str] = Counter()
    listed = config.get("layers")
    for entry in listed if isinstance(listed, list) and depth < DEEPEST else ():
        own = _mapping(entry)
        kind, inner = str(own.get("class_name")), _mapping(own.get("config"))
        base = _snake_case(kind)
        number = counts[base]
        counts[base] += 1
        group = f"{prefix}layers/{base}" + (f"_{number}" if number else "")
        if "layers" in inner:
            yield from _layers(own, group + "/", depth + 1)
        else:
            yield _layer(str(inner.get("name")), group, kind, inner)


def _layer(name: str, group: str, kind: str, config: Mapping[str, Any]) -> KerasLayer:
    wrapped = _mapping(config.get("layer"))
    is_two = kind == "Bidirectional"
    if is_two or kind == "TimeDistributed":
        inner = _layer(name, group, str(wrapped.get("class_name")), _mapping(wrapped.get("config")))
        return KerasLayer(name, group, inner.kind, inner.config, is_two)
    if kind == "RNN":
        cell = _mapping(config.get("cell"))
        class_name = str(cell.get("class_name"))
        return KerasLayer(
            name, group, _LIKE.get(class_name, class_name), {**_mapping(cell.get("config")), **config}
        )
    return KerasLayer(name, group, kind, config)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    """An activation's name, however it is written."""
    if isinstance(value, dict):
        value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
    return value if isinstance(value, str) else "linear" if value is None else "one of its own"


def _snake_case(name: str) -> str:
    """A class's name as Keras writes it in a path: SimpleRNN → simple_rnn."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
