"""onnxruntime as the judge of a cell's values: one ONNX node, executed on the same random weights.

The layouts of the weights are written out here, gate by gate, and share nothing with the package:

- ours (PyTorch's): LSTM i f g o, coupled i g o, GRU r z n, two biases of one length;
- ONNX's: LSTM i o f c, peepholes i o f, GRU z r h, the two biases one after the other.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from onnx import TensorProto, helper
from oracles.recurrents import as_states, gap
from torch import Tensor

from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent

Array = npt.NDArray[Any]

_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {"activations": "Tanh"}),
    "rnn_relu": ("RNN", {"activations": "Relu"}),
    "lstm": ("LSTM", {}),
    "lstm_peephole": ("LSTM", {}),
    "lstm_coupled": ("LSTM", {"input_forget": 1}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "gru_reset_before": ("GRU", {"linear_before_reset": 0}),
}


def onnx_rows(cell: str, stacked: Array) -> Array:
    """The rows of a weight or bias in ONNX's order."""
    if cell.startswith("rnn"):
        return stacked
    if cell.startswith("gru"):
        r, z, n = np.split(stacked, 3)
        return np.concatenate([z, r, n])
    if cell == "lstm_coupled":
        i, g, o = np.split(stacked, 3)
        unused = np.full_like(i, 3.0)
        return np.concatenate([i, o, unused, g])
    i, f, g, o = np.split(stacked, 4)
    return np.concatenate([i, o, f, g])


@cache
def _session(cell: str, direction: str, hidden: int, peepholes: bool) -> onnxruntime.InferenceSession:
    operator, attributes = _OPERATORS[cell]
    given = dict(attributes)
    if "activations" in given:
        given["activations"] = [given["activations"]] * (2 if direction == "bidirectional" else 1)
    lstm = operator == "LSTM"
    inputs = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(("initial_c",) if lstm else ())]
    outputs = ["Y", "Y_h", *(("Y_c",) if lstm else ())]
    named = [*inputs, *(("P",) if peepholes else ())]
    node = helper.make_node(operator, named, outputs, hidden_size=hidden, direction=direction, **given)
    kinds = {name: TensorProto.INT32 if name == "sequence_lens" else TensorProto.FLOAT for name in named}
    graph = helper.make_graph(
        [node],
        "cell",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run_onnx(
    cell: str,
    parameters: dict[str, Array],
    x: Array,
    states: tuple[Array, ...],
    lengths: Array | None = None,
    direction: str = "forward",
) -> tuple[Array, ...]:
    """Y (T, directions, B, H), Y_h and, for an LSTM, Y_c (directions, B, H).

    Args:
        cell: a name of the package.
        parameters: of one layer, by PyTorch's names; `_reverse` for the second direction.
        x: (T, B, input).
        states: h, or h and c, each (directions, B, H).
        lengths: (B,), or None.
        direction: forward, reverse (with the parameters of the forward direction) or bidirectional.
    """
    ends = ["_l0", "_l0_reverse"] if direction == "bidirectional" else ["_l0"]
    hidden = states[0].shape[-1]

    def stack(base: str) -> Array:
        return np.stack([onnx_rows(cell, parameters[base + end]) for end in ends])

    zero = np.zeros((len(ends), len(stack("weight_ih")[0])), np.float32)
    biased = "bias_ih_l0" in parameters
    biases = [stack("bias_ih"), stack("bias_hh")] if biased else [zero, zero]
    feed = {
        "X": x,
        "W": stack("weight_ih"),
        "R": stack("weight_hh"),
        "B": np.concatenate(biases, axis=1),
        "sequence_lens": np.asarray([len(x)] * x.shape[1] if lengths is None else lengths, np.int32),
        "initial_h": states[0],
    }
    if len(states) > 1:
        feed["initial_c"] = states[1]
    if cell == "lstm_peephole":
        gates = ("weight_ci", "weight_co", "weight_cf")
        feed["P"] = np.stack([np.concatenate([parameters[g + end] for g in gates]) for end in ends])
    found = _session(cell, direction, hidden, "P" in feed).run(None, feed)
    return tuple(np.asarray(a) for a in found)


def arrays(values: dict[str, Tensor]) -> dict[str, Array]:
    """Tensors as float32 numpy arrays."""
    return {name: tensor.detach().float().numpy() for name, tensor in values.items()}


def value_gap(module: Recurrent, x: Tensor, hx: Any) -> float:
    """How far h and c of every timestep are from onnxruntime's, for one layer in the forward direction.

    onnxruntime gives the last c only, so the c of timestep t comes from the first t + 1 timesteps.
    """
    trace = record(module, x, hx=hx)
    parameters = arrays(dict(module.state_dict()))
    states = tuple(s.float().numpy() for s in as_states(hx))
    wide = x.float().numpy()
    found = [gap(trace.values("h"), run_onnx(module.cell, parameters, wide, states)[0][:, 0])]
    if len(states) > 1:
        for t, c in enumerate(trace.values("c")):
            found.append(gap(c, run_onnx(module.cell, parameters, wide[: t + 1], states)[2][0]))
    return max(found)


def random_case(
    cell: str, seed: int = 0, steps: int = 6, batch: int = 2, **options: Any
) -> tuple[Recurrent, Tensor, Any]:
    """A float32 module, x and hx for `value_gap`."""
    from oracles.recurrents import noise, random_recurrent, random_states

    module = random_recurrent(cell, 3, 4, dtype=torch.float32, seed=seed, **options)
    return module, noise(steps, batch, 3, seed=seed + 50, dtype=torch.float32), random_states(module, batch)
