"""A run of code of a user's own, made by hand: what recording by source gives of the cell in `TEXT`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from synthetic import Array, editable

from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.source import Constant, Function, Source, Stage, Unrecorded, Variable

FILE = "/home/user/my_cell.py"
FIRST_LINE, RELAX_LINE = 21, 41
TEXT = """\
    def forward(self, x, state):
        h_prev, c_prev, S_prev = state
        gates = self.norm(x @ self.W + h_prev @ self.R)
        f, z_i, g, z_o = gates.chunk(4, dim=-1)
        f = torch.sigmoid(f + 1.0)
        i, o = torch.sigmoid(z_i), torch.sigmoid(z_o)
        u = g
        for _ in range(3):  # a few steps of a solver
            u = relax(u, g)
        new_c = (
            f * c_prev
            + i * u
        )
        new_h = o * torch.tanh(new_c)
        if self.ticks % 2 == 0:
            noise = 0.1 * new_h
        S = 0.9 * S_prev + self.write(new_h)
        energy = new_h.square().sum(-1)
        best = new_h.argmax(-1)
        return new_h, (new_h, new_c, S)
"""
RELAX = """\
def relax(u, target):
    step = 0.5 * (torch.tanh(target) - u)
    return u + step
"""
HIDDEN, MATRIX = 4, (2, 2, 3)
INNER = 3
UNIT_INTERVAL = ("f", "i", "o")
CARRIED = {"new_h": ("h_prev",), "new_c": ("c_prev",), "S": ("S_prev",)}
ABSENT = {"best": "integer", "noise": "detached", "x": "requires none"}
ORDER = (
    *(
        "x",
        "h_prev",
        "c_prev",
        "S_prev",
        "gates",
        "f_1",
        "z_i",
        "g",
        "z_o",
        "f",
        "i",
        "o",
        "u_1",
        "step",
        "u",
    ),
    *("new_c", "new_h", "noise", "S", "energy", "best"),
)
LINES = {
    **{
        "x": 0,
        "h_prev": 1,
        "c_prev": 1,
        "S_prev": 1,
        "gates": 2,
        "f_1": 3,
        "z_i": 3,
        "g": 3,
        "z_o": 3,
        "f": 4,
    },
    **{
        "i": 5,
        "o": 5,
        "u_1": 6,
        "u": 8,
        "new_c": 9,
        "new_h": 13,
        "noise": 15,
        "S": 16,
        "energy": 17,
        "best": 18,
    },
}
"""Each variable's line, counted from that of `def`."""


def source_trace(
    steps: int = 12, batch: int = 2, *, seed: int = 0, derivatives: bool = True, **header: Any
) -> Trace:
    """The run of the cell in `TEXT`, whose values follow from its code; the derivatives are random numbers.

    It has a matrix for a state, a number for each sequence, integers, inner steps in a function that it
    calls, a name that every other round binds, one that is bound at two lines, and constants.

    Args:
        steps: T.
        batch: B.
        seed: of the random numbers.
        derivatives: whether it has any.
        header: any field of `Header`.
    """
    random = np.random.default_rng(seed)
    rounds, inner = _rounds(steps, batch, random)
    arrays: dict[str, Array] = {}
    for name in ORDER:
        values = np.stack([current[name] for current in rounds]).reshape(steps, batch, -1)
        arrays[f"0/forward/{name}"] = values
        if derivatives and name not in ABSENT:
            arrays[f"0/forward/d{name}"] = random.normal(size=values.shape).astype(np.float32)
    for name in ("u", "step"):
        arrays[f"0/forward/inner/{name}"] = inner[name]
    for state, (before,) in CARRIED.items():
        arrays[f"0/forward/initial/{state}"] = arrays[f"0/forward/{before}"][0]
        if derivatives:
            arrays[f"0/forward/initial/d{state}"] = arrays[f"0/forward/d{before}"][0]
    arrays["0/forward/bound/noise"] = np.arange(steps) % 2 == 0
    arrays["0/forward/once/mask"] = np.ones((HIDDEN, HIDDEN), np.float32)
    arrays["lengths"] = np.full(batch, steps)
    source = _source()
    if not derivatives:
        variables = tuple(replace(variable, absent="requires none") for variable in source.variables)
        source = replace(source, variables=variables)
    layer = Layer("LayerNormLSTM", 0, 4 * HIDDEN, path="cell", calls=steps, source=source)
    about: dict[str, Any] = {"name": "mine", "loss": 0.5, "title": "A cell of one's own"} | header
    return editable(Trace(Header(layers=(layer,), steps=steps, batch=batch, **about), {}), arrays)


def _source() -> Source:
    own = (
        Function("LayerNormLSTM.forward", FILE, FIRST_LINE, TEXT),
        Function("relax", FILE, RELAX_LINE, RELAX),
    )
    sizes: dict[str, tuple[int, ...]] = {"x": (3,), "gates": (4 * HIDDEN,), "energy": (), "best": ()}
    sizes |= {"S": MATRIX, "S_prev": MATRIX}
    variables = tuple(
        Variable(
            name=name,
            written=name.removesuffix("_1"),
            function=1 if name == "step" else 0,
            line=RELAX_LINE + 1 if name == "step" else FIRST_LINE + LINES[name] if LINES[name] else 0,
            shape=sizes.get(name, (HIDDEN,)),
            dtype="int64" if name == "best" else "float32",
            carried_to=CARRIED.get(name, ()),
            in_unit_interval=name in UNIT_INTERVAL,
            inner_steps=INNER if name in ("u", "step") else 0,
            absent=ABSENT.get(name, ""),
        )
        for name in ORDER
    )
    return Source(
        own,
        variables,
        tuple(_stages()),
        (Constant("mask", (HIDDEN, HIDDEN), "float32", bindings=12),),
        (Unrecorded("attended", "its shape changes from (2, 1) to (2, 40)"),),
    )


def _stages() -> list[Stage]:
    stages = [
        Stage(name, 0, FIRST_LINE + LINES[name]) for name in ORDER[: ORDER.index("step")] if LINES[name]
    ]
    for k in range(INNER):
        stages.append(Stage("step", 1, RELAX_LINE + 1, depth=1, inner_step=k))
        stages.append(Stage("u", 0, FIRST_LINE + 8, inner_step=k))
    return stages + [Stage(name, 0, FIRST_LINE + LINES[name]) for name in ORDER[ORDER.index("new_c") :]]


def _rounds(
    steps: int, batch: int, random: np.random.Generator
) -> tuple[list[dict[str, Array]], dict[str, Array]]:
    """The values of each round, and the inner steps of u and step, (T, inner steps, B, units)."""
    w = random.normal(size=(3, 4 * HIDDEN)).astype(np.float32)
    r = random.normal(size=(HIDDEN, 4 * HIDDEN)).astype(np.float32)
    h, c = np.zeros((batch, HIDDEN), np.float32), np.zeros((batch, HIDDEN), np.float32)
    matrix = np.zeros((batch, *MATRIX), np.float32)
    rounds, inner = [], {"u": [], "step": []}  # type: ignore[var-annotated]
    for t in range(steps):
        v: dict[str, Array] = {"x": random.normal(size=(batch, 3)).astype(np.float32)}
        v |= {"h_prev": h, "c_prev": c, "S_prev": matrix}
        v["gates"] = _normalised(v["x"] @ w + h @ r)
        v["f_1"], v["z_i"], v["g"], v["z_o"] = np.split(v["gates"], 4, axis=-1)
        v["f"], v["i"], v["o"] = _sigmoid(v["f_1"] + 1), _sigmoid(v["z_i"]), _sigmoid(v["z_o"])
        us, moves = [v["g"]], []
        v["u_1"] = v["g"]
        for _ in range(INNER):
            moves.append(0.5 * (np.tanh(v["g"]) - us[-1]))
            us.append(us[-1] + moves[-1])
        v["u"], v["step"] = us[-1], moves[-1]
        inner["u"].append(np.stack(us[1:]))
        inner["step"].append(np.stack(moves))
        c = v["new_c"] = v["f"] * c + v["i"] * v["u"]
        h = v["new_h"] = v["o"] * np.tanh(c)
        v["noise"] = 0.1 * h if t % 2 == 0 else np.zeros_like(h)
        matrix = v["S"] = 0.9 * matrix + np.broadcast_to(h[:, None, :2, None], matrix.shape)
        v["energy"], v["best"] = np.square(h).sum(-1), h.argmax(-1)
        rounds.append(v)
    return rounds, {name: np.stack(values) for name, values in inner.items()}


def _normalised(values: Array) -> Array:
    return (values - values.mean(-1, keepdims=True)) / values.std(-1, keepdims=True)


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))
