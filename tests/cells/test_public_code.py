"""The newer cells against code of others: packages that have them, and scans over all of time at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from oracles.recurrents import as_states, gap, noise, random_recurrent
from torch import Tensor, nn

from lstmtui.models.recurrent import Recurrent

EXACT = 1e-12


def run(name: str, **options: Any) -> tuple[Recurrent, dict[str, Tensor], Tensor]:
    """A random module, its parameters by base name, and an input of 20 timesteps and two sequences."""
    module = random_recurrent(name, hidden_size=4, **options)
    parameters = {n.removesuffix("_l0"): p.detach() for n, p in module.named_parameters()}
    return module, parameters, noise(20, 2, 3, seed=4)


def stepped(cell: nn.Module, x: Tensor, *states: Tensor) -> Tensor:
    """h of every timestep of a cell that is called in a loop."""
    hidden = []
    for now in x:
        state = cell(now, states if len(states) > 1 else states[0])
        states = as_states(state)
        hidden.append(states[0])
    return torch.stack(hidden)


def test_janet_is_that_of_torchrecurrent() -> None:
    torchrecurrent = pytest.importorskip("torchrecurrent")
    module, p, x = run("janet")
    cell = torchrecurrent.JANETCell(3, 4).double()
    cell.load_state_dict(p)
    assert (
        gap(module(x)[0], stepped(cell, x, torch.zeros(2, 4).double(), torch.zeros(2, 4).double())) <= EXACT
    )


def test_indrnn_is_that_of_torchrecurrent() -> None:
    torchrecurrent = pytest.importorskip("torchrecurrent")
    module, p, x = run("indrnn")
    cell = torchrecurrent.IndRNNCell(3, 4, nonlinearity="relu").double()
    own = {"weight_ih": p["weight_ih"], "vector_u": p["weight_h"], "bias_ih": p["bias_ih"]}
    cell.load_state_dict({**own, "bias_hh": torch.zeros(4)})
    assert gap(module(x)[0], stepped(cell, x, torch.zeros(2, 4).double())) <= EXACT


def test_mingru_is_that_of_its_package_step_by_step_and_as_a_scan() -> None:
    package = pytest.importorskip("minGRU_pytorch")
    module = random_recurrent("mingru", 4, 4, bias=False)
    theirs = package.minGRU(4).double()
    z, n = module.weight_ih_l0.detach().chunk(2)
    theirs.to_hidden_and_gate.weight.data = torch.cat([n, z])
    x = noise(20, 2, 4, seed=4)
    ours = module(x)[0]
    assert gap(ours, theirs(x.transpose(0, 1)).transpose(0, 1)) <= EXACT
    before, steps = torch.rand(2, 1, 4, dtype=torch.float64), []
    last = before
    for now in x:
        _, last = theirs(now[:, None], last, return_next_prev_hidden=True)
        steps.append(last[:, 0])
    assert gap(module(x, before[:, 0][None])[0], torch.stack(steps)) <= EXACT


def scan(kept: Tensor, written: Tensor) -> Tensor:
    """h of every timestep of h = kept·h + written from 0, by products of what is kept: no loop over h."""
    steps = len(kept)
    every = []
    for t in range(steps):
        products = torch.stack([kept[s + 1 : t + 1].prod(0) for s in range(t + 1)])
        every.append((products * written[: t + 1]).sum(0))
    return torch.stack(every)


def test_mingru_with_biases_is_a_weighted_sum_of_its_past() -> None:
    module, p, x = run("mingru")
    z_pre, n_pre = (x @ p["weight_ih"].T + p["bias_ih"]).chunk(2, -1)
    written = z_pre.sigmoid() * torch.where(n_pre >= 0, n_pre + 0.5, n_pre.sigmoid())
    assert gap(module(x)[0], scan((-z_pre).sigmoid(), written)) <= EXACT
