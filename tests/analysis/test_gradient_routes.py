"""Every route of the gradient against autograd on a loop where each use of a state has its own gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, LSTM_NAMES, noise, random_recurrent, random_states
from torch import Tensor
from torch.nn.functional import linear

from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.analysis.gradient_split import FROM_ABOVE, Split
from lstmtui.capture.record import record
from lstmtui.errors import UserError
from lstmtui.models.recurrent import Recurrent
from lstmtui.session import Session
from lstmtui.trace import Trace

EXACT = 1e-12
Use = Callable[[Tensor, str, str], Tensor]


def gap(split: Split) -> float:
    """‖whole − sum of the routes‖ over ‖whole‖: the rounding of the recording."""
    missing = split.whole - sum(route.values for route in split.routes)
    return float(np.linalg.norm(missing) / (np.linalg.norm(split.whole) or 1.0))


class UsesOfStates:
    """A stack run by plain loops; `found` holds the gradient of each use of each state apart."""

    def __init__(self, module: Recurrent, x: Tensor, hx: Any) -> None:
        self.cell, self.p = module.cell, {n: p.detach() for n, p in module.named_parameters()}
        self.found: dict[tuple[int, str], dict[tuple[int, str, str], Tensor]] = {}
        states = hx if isinstance(hx, tuple) else (hx,)
        leaves = [s.detach().clone().requires_grad_() for s in states]
        number = 0
        for layer in range(module.layout.num_layers):
            outputs = []
            for direction in module.layout.directions:
                outputs.append(self._scan(layer, direction, x, tuple(s[number] for s in leaves)))
                number += 1
            x = torch.cat(outputs, -1)
        self.output = x

    def _scan(self, layer: int, direction: str, x: Tensor, states: tuple[Tensor, ...]) -> Tensor:
        end = f"_l{layer}" + ("_reverse" if direction == "backward" else "")
        p = {n.removesuffix(end): v for n, v in self.p.items() if n.endswith(end)}
        uses = self.found[layer, direction] = {}
        way = -1 if direction == "backward" else 1
        outputs: list[Any] = [None] * len(x)

        def used_at(t: int) -> Use:
            def use(value: Tensor, state: str, route: str) -> Tensor:
                alias = value.clone()
                alias.retain_grad()
                uses[t, state, route] = alias
                return alias

            return use

        for t in range(len(x))[::way]:
            run = {"lstm": _lstm, "gru": _gru, "rnn": _plain}[self.cell.split("_")[0]]
            states = run(self.cell, p, x[t], states, used_at(t - way), used_at(t))
            outputs[t] = used_at(t)(states[0], "h", FROM_ABOVE)
        return torch.stack(outputs)


def _lstm(cell: str, p: dict[str, Tensor], x: Tensor, states: Any, before: Use, now: Use) -> Any:
    h, c = states
    gates = "igo" if cell == "lstm_coupled" else "ifgo"
    ws, rs, b1, b2 = (p[n].chunk(len(gates)) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    pre = {
        k: linear(x, w, b + bb) + linear(before(h, "h", f"R_{k}"), r)
        for k, w, r, b, bb in zip(gates, ws, rs, b1, b2, strict=True)
    }
    if cell == "lstm_peephole":
        pre["i"] = pre["i"] + p["weight_ci"] * before(c, "c", "peephole i")
        pre["f"] = pre["f"] + p["weight_cf"] * before(c, "c", "peephole f")
    i = torch.sigmoid(pre["i"])
    f = 1 - i if cell == "lstm_coupled" else torch.sigmoid(pre["f"])
    c = f * before(c, "c", "carry f") + i * torch.tanh(pre["g"])
    if cell == "lstm_peephole":
        pre["o"] = pre["o"] + p["weight_co"] * now(c, "c", "peephole o")
    h = torch.sigmoid(pre["o"]) * torch.tanh(now(c, "c", "output gate"))
    return (linear(h, p["weight_hr"]) if "weight_hr" in p else h), c


def _gru(cell: str, p: dict[str, Tensor], x: Tensor, states: Any, before: Use, now: Use) -> Any:
    (h,) = states
    (w_r, w_z, w_n), (r_r, r_z, r_n) = p["weight_ih"].chunk(3), p["weight_hh"].chunk(3)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = p["bias_ih"].chunk(3), p["bias_hh"].chunk(3)
    r = torch.sigmoid(linear(x, w_r, b_r + d_r) + linear(before(h, "h", "R_r"), r_r))
    z = torch.sigmoid(linear(x, w_z, b_z + d_z) + linear(before(h, "h", "R_z"), r_z))
    seen = before(h, "h", "R_n")
    inner = r * linear(seen, r_n, d_n) if cell == "gru" else linear(r * seen, r_n, d_n)
    n = torch.tanh(linear(x, w_n, b_n) + inner)
    return ((1 - z) * n + z * before(h, "h", "carry z"),)


def _plain(cell: str, p: dict[str, Tensor], x: Tensor, states: Any, before: Use, now: Use) -> Any:
    (h,) = states
    a = linear(x, p["weight_ih"], p["bias_ih"]) + linear(before(h, "h", "R"), p["weight_hh"], p["bias_hh"])
    return (torch.tanh(a) if cell == "rnn_tanh" else torch.relu(a),)


def recorded(cell: str, steps: int = 6, **options: Any) -> tuple[Session, UsesOfStates]:
    """A random stack in both directions with a loss on every output, and the loop on the same."""
    module = random_recurrent(cell, num_layers=2, bidirectional=True, **options)
    x, hx = noise(steps, 2, 3, seed=1), random_states(module, 2)
    weights = noise(steps, 2, 2 * module.layout.output_size, seed=2)
    trace = record(module, x, hx=hx, loss=lambda result: (weights * result[0] ** 2).sum())
    loop = UsesOfStates(module, x, hx)
    (weights * loop.output**2).sum().backward()  # type: ignore[no-untyped-call]
    return Session(trace), loop


def assert_every_route_is_that_of_the_loop(session: Session, loop: UsesOfStates) -> None:
    for (layer, direction), uses in loop.found.items():
        session.select_layer(layer)
        session.select_direction(direction)
        for t in range(session.trace.steps):
            session.goto(t)
            for batch in range(2):
                session.select_batch(batch)
                for split in routes_at(session.view):
                    wanted = {r: v for (at, s, r), v in uses.items() if (at, s) == (split.t, split.state)}
                    assert {route.name for route in split.routes} == set(wanted)
                    assert gap(split) <= EXACT
                    assert sum(split.shares) == pytest.approx(1, abs=1e-9)
                    for route in split.routes:
                        theirs = wanted[route.name].grad
                        assert theirs is not None
                        assert np.abs(route.values - theirs[batch].numpy()).max() <= EXACT, route.name


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_each_route_is_what_autograd_gives_through_that_use_alone(cell: str) -> None:
    assert_every_route_is_that_of_the_loop(*recorded(cell))


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_routes_through_a_projection_are_those_of_autograd(cell: str) -> None:
    assert_every_route_is_that_of_the_loop(*recorded(cell, hidden_size=5, proj_size=2))


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_routes_without_the_rest_add_up_where_the_loss_looks_at_the_last_timestep_only(cell: str) -> None:
    module = random_recurrent(cell)
    trace = record(module, noise(7, 1, 3, seed=3), loss=lambda result: (result[0][-1] ** 2).sum())
    mask = np.arange(7)[:, None] == 6
    session = Session(Trace(trace.header, {**trace.arrays, "mask": mask}))
    for t in range(7):
        session.goto(t)
        for split in routes_at(session.view):
            assert FROM_ABOVE not in [route.name for route in split.routes]
            assert gap(split) <= EXACT


def test_what_a_mask_does_not_tell_is_shown_all_the_same() -> None:
    trace = record(random_recurrent("lstm"), noise(5, 1, 3, seed=3), loss=lambda r: (r[0] ** 2).sum())
    session = Session(Trace(trace.header, {**trace.arrays, "mask": np.zeros((5, 1), bool)}))
    session.goto(3)
    split = routes_at(session.view)[0]
    assert split.routes[-1].name == FROM_ABOVE
    assert split.routes[-1].values == pytest.approx(2 * trace.values("h")[2, 0], abs=EXACT)


@pytest.mark.parametrize("cell", ["lstm_peephole", "gru"])
def test_a_padded_sequence_has_the_routes_it_has_alone(cell: str) -> None:
    module = random_recurrent(cell, bidirectional=True)
    x = noise(6, 2, 3, seed=4)
    together = Session(record(module, x, lengths=[6, 4], loss=lambda result: (result[0] ** 2).sum()))
    alone = Session(record(module, x[:4, 1:], loss=lambda result: (result[0] ** 2).sum()))
    together.select_batch(1)
    for direction in ("forward", "backward"):
        for session in (together, alone):
            session.select_direction(direction)
        for t in range(4):
            for session in (together, alone):
                session.goto(t)
            for ours, theirs in zip(routes_at(together), routes_at(alone), strict=True):
                assert [r.name for r in ours.routes] == [r.name for r in theirs.routes]
                for one, other in zip(ours.routes, theirs.routes, strict=True):
                    assert one.values == pytest.approx(other.values, abs=EXACT)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_rounding_of_float32_is_no_route(cell: str) -> None:
    module = random_recurrent(cell, dtype=torch.float32)
    trace = record(module, noise(6, 1, 3, seed=5, dtype=torch.float32))
    mask = np.arange(6)[:, None] == 5
    session = Session(Trace(trace.header, {**trace.arrays, "mask": mask}))
    for t in range(6):
        session.goto(t)
        for split in routes_at(session.view):
            assert FROM_ABOVE not in [route.name for route in split.routes]
            assert gap(split) <= 1e-5


def test_what_else_reads_c_is_a_route_of_its_own() -> None:
    trace = record(random_recurrent("lstm"), noise(5, 1, 3, seed=6))
    dc = trace.values("dc").copy()
    dc[2] += 1.0
    session = Session(Trace(trace.header, {**trace.arrays, "0/forward/dc": dc}))
    session.goto(3)
    split = routes_at(session.view)[1]
    assert [r.name for r in split.routes] == ["carry f", "output gate", FROM_ABOVE]
    assert split.routes[-1].values == pytest.approx(1.0)


def test_every_route_of_a_cell_with_peepholes_has_a_name() -> None:
    session = Session(record(random_recurrent("lstm_peephole"), noise(5, 1, 3, seed=7)))
    session.goto(3)
    h, c = routes_at(session.view)
    assert [r.name for r in h.routes] == ["R_f", "R_i", "R_g", "R_o", FROM_ABOVE]
    assert [r.name for r in c.routes] == [
        "carry f",
        "output gate",
        "peephole i",
        "peephole f",
        "peephole o",
    ]


@pytest.mark.parametrize("missing", ["0/forward/df_pre", "0/forward/dc", "parameters/weight_hh_l0"])
def test_a_trace_without_what_the_routes_need_says_what_is_missing(missing: str) -> None:
    trace = record(random_recurrent("lstm"), noise(3, 1, 3, seed=8))
    arrays = {k: v for k, v in trace.arrays.items() if k != missing}
    session = Session(Trace(trace.header, arrays))
    with pytest.raises(UserError, match=r"(df_pre|dc|weight_hh): not in this trace"):
        routes_at(session.view)


def test_parameters_that_are_not_finite_make_routes_that_are_not_and_no_warning() -> None:
    trace = record(random_recurrent("lstm"), noise(3, 1, 3, seed=9))
    weight = trace.parameters["weight_hh_l0"].copy()
    weight[4:8] = np.inf
    session = Session(Trace(replace(trace.header), {**trace.arrays, "parameters/weight_hh_l0": weight}))
    session.goto(2)
    h = routes_at(session.view)[0]
    broken = [r.name for r in h.routes if not np.isfinite(r.values).all()]
    assert broken == ["R_f", FROM_ABOVE]
