"""One LSTM, GRU or RNN node of an ONNX graph, in our names and order of rows. No torch.

The operators' definitions: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.constants import Constants, attributes
from lstmtui.printable import printable
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array

INPUTS = {
    "LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"),
    "GRU": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
    "RNN": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
}
ROWS = {"LSTM": "iofc", "GRU": "zrh", "RNN": "i"}
"""The blocks of rows in W, R and B, in ONNX's order and letters."""

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_KNOWN = {"activations", "direction", "hidden_size", "layout"}
_MEANS = {
    "clip": ", which cuts off what goes into each gate at a threshold,",
    "activation_alpha": ", which scales its activations,",
    "activation_beta": ", which shifts its activations,",
    "output_sequence": " of opset 1 to 6",
}
"""What attributes do that our cells have not."""
_OWN = {"LSTM": {"input_forget"}, "GRU": {"linear_before_reset"}, "RNN": set[str]()}


@dataclass(frozen=True)
class OnnxNode:
    """One node, with everything that is computed from constants."""

    name: str
    cell: str
    direction: str
    """forward, reverse or bidirectional."""
    parameters: tuple[Mapping[str, Array], ...]
    """Per direction, by base name: weight_ih (rows, input), weight_hh, bias_ih, bias_hh, weight_ci …"""
    initial: Mapping[str, Array | float]
    """h0 and c0, each (directions, batch, hidden), or the value of all its entries."""
    computed: tuple[str, ...]
    """The inputs initial_h and initial_c where the graph works them out from its own inputs."""
    lengths: Array | None
    """sequence_lens (batch,), where it is a constant."""
    notes: tuple[str, ...] = ()
    batch_first: bool = False
    """Whether X and Y are (batch, T, …): layout 1."""
    activations: tuple[str, ...] = ()
    """Of one direction, in ONNX's names: Sigmoid, Tanh, Tanh."""

    @property
    def batches(self) -> frozenset[int]:
        """How many sequences its constant initial states are for."""
        return frozenset(a.shape[1] for a in self.initial.values() if not isinstance(a, float))

    @property
    def hidden_size(self) -> int:
        """The number of units."""
        return int(self.parameters[0]["weight_hh"].shape[1])

    @property
    def input_size(self) -> int:
        """The number of features of X."""
        return int(self.parameters[0]["weight_ih"].shape[1])


def read_node(node: Any, name: str, constants: Constants) -> OnnxNode:
    """Read one node.

    Args:
        node: the `onnx.NodeProto`, an LSTM, GRU or RNN.
        name: what it is called in messages.
        constants: of its graph.

    Raises:
        UserError: it uses what our cells have not (which is named), or its shapes do not fit.
    """
    settings = {key: _plain(value) for key, value in attributes(node).items()}
    cell = _cell(node.op_type, settings)
    direction = settings.get("direction", "forward")
    if direction not in _DIRECTIONS:
        raise UserError(f"direction {printable(str(direction))} is none of {', '.join(_DIRECTIONS)}")
    inputs = {key: value for key, value in zip(INPUTS[node.op_type], node.input, strict=False) if value}
    arrays = {key: _weight(key, inputs, constants) for key in "WRBP" if key in inputs}
    for key in "WR":
        if key not in arrays:
            raise UserError(f"has no input {key}")
    _check_shapes(node.op_type, arrays, _DIRECTIONS[direction], settings.get("hidden_size"))
    if "P" in arrays and cell == "lstm_coupled":
        raise UserError("input_forget together with peepholes P is not supported")
    cell = "lstm_peephole" if "P" in arrays else cell
    sizes = _DIRECTIONS[direction], arrays["R"].shape[2]
    initial, computed, notes = _initial(inputs, settings.get("layout", 0), constants, sizes)
    lengths = constants.array(inputs["sequence_lens"]) if "sequence_lens" in inputs else None
    parameters = tuple(
        _parameters(node.op_type, cell, {key: array[n] for key, array in arrays.items()})
        for n in range(_DIRECTIONS[direction])
    )
    first = settings.get("layout", 0) == 1
    usual = ("Relu",) if cell == "rnn_relu" else _ACTIVATIONS[node.op_type]
    return OnnxNode(name, cell, direction, parameters, initial, computed, lengths, notes, first, usual)


def _cell(operator: str, settings: Mapping[str, Any]) -> str:
    """The cell that the attributes ask for."""
    for key in settings.keys() - _KNOWN - _OWN[operator]:
        raise UserError(f"its attribute {printable(key)}{_MEANS.get(key, '')} is not supported")
    if settings.get("layout", 0) not in (0, 1):
        raise UserError(f"layout {printable(str(settings['layout']))} is neither 0 nor 1")
    directions = _DIRECTIONS.get(settings.get("direction", "forward"), 1)
    usual = _ACTIVATIONS[operator] * directions
    names = tuple(settings.get("activations") or usual)
    lower = tuple(str(name).lower() for name in names)
    if operator == "RNN" and lower == ("relu",) * directions:
        return "rnn_relu"
    if lower != tuple(name.lower() for name in usual):
        allowed = ", ".join(usual) + (", or Relu" if operator == "RNN" else "")
        raise UserError(
            f"its activations {printable(', '.join(map(str, names)))} are not supported; allowed: {allowed}"
        )
    if operator == "GRU":
        return "gru" if settings.get("linear_before_reset", 0) else "gru_reset_before"
    if operator == "LSTM":
        return "lstm_coupled" if settings.get("input_forget", 0) else "lstm"
    return "rnn_tanh"


def _weight(key: str, inputs: Mapping[str, str], constants: Constants) -> Array:
    array = constants.array(inputs[key])
    if array is None:
        raise UserError(f"its input {key} is not a constant of the model")
    if array.dtype not in (np.float32, np.float64):
        raise UserError(f"its input {key} does not hold floating-point numbers")
    return array


def _check_shapes(operator: str, arrays: Mapping[str, Array], directions: int, hidden: Any) -> None:
    """Every shape follows from the hidden size, which R and the attribute must agree on."""
    recurrent = arrays["R"].shape
    if hidden is None and len(recurrent) == 3:
        hidden = recurrent[2]
    if hidden is None:
        raise UserError(f"R has shape {recurrent}, three axes are expected")
    if not isinstance(hidden, int) or hidden < 1:
        raise UserError(f"hidden_size is {printable(str(hidden))}, 1 or more is expected")
    rows = len(ROWS[operator]) * hidden
    width = arrays["W"].shape[2] if arrays["W"].ndim == 3 and arrays["W"].shape[2] > 0 else "input"
    expected: dict[str, tuple[Any, ...]] = {
        "W": (directions, rows, width),
        "R": (directions, rows, hidden),
        "B": (directions, 2 * rows),
        "P": (directions, 3 * hidden),
    }
    for key, array in arrays.items():
        if array.shape != expected[key]:
            sizes = ", ".join(map(str, expected[key]))
            why = f"hidden_size {hidden} and {counted(directions, 'direction')}"
            raise UserError(f"{key} has shape {array.shape}; for {why} ({sizes}) is expected")


def _parameters(operator: str, cell: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of one direction, with our rows: LSTM i f g o, coupled i g o, GRU r z n."""
    order = {"LSTM": "ico" if cell == "lstm_coupled" else "ifco", "GRU": "rzh", "RNN": "i"}[operator]

    def rows(stacked: Array) -> Array:
        blocks = dict(zip(ROWS[operator], np.split(stacked, len(ROWS[operator])), strict=True))
        return np.concatenate([blocks[letter] for letter in order])

    parameters = {"weight_ih": rows(arrays["W"]), "weight_hh": rows(arrays["R"])}
    if "B" in arrays:
        bias_ih, bias_hh = np.split(arrays["B"], 2)
        parameters |= {"bias_ih": rows(bias_ih), "bias_hh": rows(bias_hh)}
    if "P" in arrays:
        parameters |= {
            f"weight_c{gate}": part for gate, part in zip("iof", np.split(arrays["P"], 3), strict=True)
        }
    return parameters


def _initial(
    inputs: Mapping[str, str], layout: int, constants: Constants, sizes: tuple[int, int]
) -> tuple[dict[str, Array | float], tuple[str, ...], tuple[str, ...]]:
    """The states that are constants, those the graph works out, and what is to be said of the others."""
    initial: dict[str, Array | float] = {}
    computed, notes = [], []
    for key in ("initial_h", "initial_c"):
        if key not in inputs:
            continue
        array, state = constants.array(inputs[key]), key[-1] + "0"
        if array is not None:
            array = array.swapaxes(0, 1) if layout and array.ndim == 3 else array
            if array.ndim != 3 or (array.shape[0], array.shape[2]) != sizes or not array.shape[1]:
                expected = f"({sizes[0]}, batch, {sizes[1]})"
                raise UserError(f"{key} has shape {array.shape}; for its R {expected} is expected")
            initial[state] = array
        elif (value := constants.fill(inputs[key])) is not None:
            initial[state] = value
        elif constants.is_input(inputs[key]):
            notes.append(f"{key} is an input of the graph: zero unless `initial` says otherwise")
        else:
            computed.append(key)
    return initial, tuple(computed), tuple(notes)


def _plain(value: Any) -> Any:
    """An attribute's value with text as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_plain(part) for part in value] if isinstance(value, list) else value
