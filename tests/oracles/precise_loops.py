"""The cells as loops in numpy, with their derivatives written out by hand, in any precision.

In `numpy.longdouble` they are the truth that a recording in float64 is held against; in the recording's own
dtype, the plain loop whose rounding it may have. One sequence at a time, so nothing here knows of padding.
Every array has a leading axis of runs that differ in their parameters and inputs; vectors are (runs, units).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Values = dict[str, Array]
Parameters = Mapping[str, Array]
"""By base name, each with the leading axis; biases may be left out."""


def _times(matrix: Array, vector: Array) -> Array:
    return np.asarray(np.matmul(matrix, vector[..., None])[..., 0])


def _back(matrix: Array, vector: Array) -> Array:
    return np.asarray(np.matmul(vector[:, None, :], matrix)[:, 0, :])


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _slope(g: Array) -> Array:
    """1 − g² of a tanh, rounded twice, and in every other run once, as a processor does it in one go."""
    slope = 1 - g * g
    once = g[1::2].astype(np.longdouble)
    slope[1::2] = 1 - once * once
    return slope


def _affine(p: Parameters, x: Array, h: Array) -> tuple[Array, Array]:
    """W·x + b and R·h + b′."""
    from_x, from_h = _times(p["weight_ih"], x), _times(p["weight_hh"], h)
    return (from_x + p["bias_ih"], from_h + p["bias_hh"]) if "bias_ih" in p else (from_x, from_h)


def _rnn(cell: str, p: Parameters, x: Array, before: Sequence[Array]) -> Values:
    a = np.add(*_affine(p, x, before[0]))
    return {"h_pre": a, "h": np.tanh(a) if cell == "rnn_tanh" else np.maximum(a, 0)}


def _rnn_back(cell: str, p: Parameters, v: Values, before: Sequence[Array], d: Values) -> Sequence[Array]:
    h = v["h"]
    d["h_pre"] = d["h"] * _slope(h) if cell == "rnn_tanh" else d["h"] * (h > 0)
    d["x"] = _back(p["weight_ih"], d["h_pre"])
    return (_back(p["weight_hh"], d["h_pre"]),)


def _gru(cell: str, p: Parameters, x: Array, before: Sequence[Array]) -> Values:
    (h,) = before
    from_x, from_h = _affine(p, x, h)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_x, 3, -1), np.split(from_h, 3, -1)
    v = {"r_pre": x_r + h_r, "z_pre": x_z + h_z}
    v["r"], v["z"] = _sigmoid(v["r_pre"]), _sigmoid(v["z_pre"])
    if cell == "gru":
        v["n_pre"] = x_n + v["r"] * h_n
    else:
        inner = _times(np.split(p["weight_hh"], 3, 1)[2], v["r"] * h)
        v["n_pre"] = x_n + (inner + np.split(p["bias_hh"], 3, -1)[2] if "bias_hh" in p else inner)
    v["n"] = np.tanh(v["n_pre"])
    v["h"] = (1 - v["z"]) * v["n"] + v["z"] * h
    return v


def _gru_back(cell: str, p: Parameters, v: Values, before: Sequence[Array], d: Values) -> Sequence[Array]:
    (h,) = before
    r, z, n = v["r"], v["z"], v["n"]
    r_n = np.split(p["weight_hh"], 3, 1)[2]
    d["z"] = d["h"] * (h - n)
    d["n"] = d["h"] * (1 - z)
    d["n_pre"] = d["n"] * _slope(n)
    if cell == "gru":
        inner = _times(r_n, h) + (np.split(p["bias_hh"], 3, -1)[2] if "bias_hh" in p else 0)
        d["r"] = d["n_pre"] * inner
        through_n, direct = d["n_pre"] * r, 0
    else:
        product = _back(r_n, d["n_pre"])
        d["r"] = product * h
        through_n, direct = np.zeros_like(n), product * r
    d["z_pre"], d["r_pre"] = d["z"] * ((1 - z) * z), d["r"] * ((1 - r) * r)
    d["x"] = _back(p["weight_ih"], np.concatenate([d["r_pre"], d["z_pre"], d["n_pre"]], -1))
    through = _back(p["weight_hh"], np.concatenate([d["r_pre"], d["z_pre"], through_n], -1))
    return (d["h"] * z + through + direct,)


def _lstm(cell: str, p: Parameters, x: Array, before: Sequence[Array]) -> Values:
    h, c = before
    rows = ("i", "g", "o") if cell == "lstm_coupled" else ("i", "f", "g", "o")
    a = dict(zip(rows, np.split(np.add(*_affine(p, x, h)), len(rows), -1), strict=True))
    peep = cell == "lstm_peephole"
    v = {"i_pre": a["i"] + p["weight_ci"] * c if peep else a["i"], "g_pre": a["g"]}
    v["i"], v["g"] = _sigmoid(v["i_pre"]), np.tanh(v["g_pre"])
    if cell == "lstm_coupled":
        v["f"] = 1 - v["i"]
    else:
        v["f_pre"] = a["f"] + p["weight_cf"] * c if peep else a["f"]
        v["f"] = _sigmoid(v["f_pre"])
    v["c"] = v["f"] * c + v["i"] * v["g"]
    v["o_pre"] = a["o"] + p["weight_co"] * v["c"] if peep else a["o"]
    v["o"] = _sigmoid(v["o_pre"])
    v["tanh_c"] = np.tanh(v["c"])
    v["h"] = v["o"] * v["tanh_c"]
    if "weight_hr" in p:
        v["h"] = _times(p["weight_hr"], v["h"])
    return v


def _lstm_back(cell: str, p: Parameters, v: Values, before: Sequence[Array], d: Values) -> Sequence[Array]:
    c, squashed = before[1], v["tanh_c"]
    i, f, g, o = (v[gate] for gate in "ifgo")
    shown = _back(p["weight_hr"], d["h"]) if "weight_hr" in p else d["h"]
    d["o"] = shown * squashed
    d["o_pre"] = d["o"] * ((1 - o) * o)
    d["c"] = d["c"] + shown * o * _slope(squashed)
    if cell == "lstm_peephole":
        d["c"] = d["c"] + p["weight_co"] * d["o_pre"]
    d["g"], d["f"], d["i"] = d["c"] * i, d["c"] * c, d["c"] * g
    rows = ["i", "f", "g", "o"]
    if cell == "lstm_coupled":
        rows.remove("f")
        d["i"] = d["i"] - d["f"]
    else:
        d["f_pre"] = d["f"] * ((1 - f) * f)
    d["i_pre"], d["g_pre"] = d["i"] * ((1 - i) * i), d["g"] * _slope(g)
    every = np.concatenate([d[row + "_pre"] for row in rows], -1)
    d["x"] = _back(p["weight_ih"], every)
    d_c = d["c"] * f
    if cell == "lstm_peephole":
        d_c = d_c + p["weight_ci"] * d["i_pre"] + p["weight_cf"] * d["f_pre"]
    return _back(p["weight_hh"], every), d_c


_FAMILIES: dict[str, tuple[Callable[..., Values], Callable[..., Sequence[Array]]]] = {
    "rnn": (_rnn, _rnn_back),
    "gru": (_gru, _gru_back),
    "lstm": (_lstm, _lstm_back),
}


class Scan:
    """One layer and direction on one sequence, forward and, when `backward` is called, back.

    Args:
        cell: its name.
        p: its parameters.
        x: (runs, T, input), in the order the cell sees it.
        states: h, or h and c, before, each (runs, units).
        rounded: rounds a value anew, so that runs differ as loops do that round otherwise.
    """

    def __init__(
        self,
        cell: str,
        p: Parameters,
        x: Array,
        states: Sequence[Array],
        rounded: Callable[[Array], Array] = lambda value: value,
    ) -> None:
        self.cell, self.p, self._rounded = cell, p, rounded
        self._step, self._step_back = _FAMILIES[cell.split("_")[0]]
        self._befores, self._steps = [], []
        for t in range(x.shape[1]):
            made = self._step(cell, p, x[:, t], states)
            v = {name: rounded(value) for name, value in made.items()}
            self._befores.append(states)
            self._steps.append(v)
            states = tuple(v[s] for s in ("h", "c")[: len(states)])
        self.values = {name: np.stack([v[name] for v in self._steps], 1) for name in self._steps[0]}
        self.values.pop("tanh_c", None)

    def backward(self, d_h: Array) -> None:
        """Fill `derivatives` and `d_states` from the gradient by each h, (runs, T, units)."""
        carried: Sequence[Array] = tuple(np.zeros_like(s) for s in self._befores[0])
        steps: list[Values] = []
        for t in reversed(range(len(self._steps))):
            d = dict(zip(("h", "c"), carried, strict=False))
            d["h"] = d["h"] + d_h[:, t]
            back = self._step_back(self.cell, self.p, self._steps[t], self._befores[t], d)
            carried = tuple(self._rounded(state) for state in back)
            steps.append(d)
        self.derivatives = {name: np.stack([d[name] for d in steps[::-1]], 1) for name in steps[0]}
        self.d_states = carried
