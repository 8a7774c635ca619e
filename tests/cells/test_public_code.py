"""The newer cells against code of others: packages that have them, and scans over all of time at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from oracles.recurrents import as_states, gap, noise, random_recurrent
from torch import Tensor, nn

from lstmtui.models.checkpoints.layers import find_layers
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


def test_minlstm_is_that_of_its_package_step_by_step_and_as_a_scan() -> None:
    package = pytest.importorskip("minGRU_pytorch.minLSTM")
    module = random_recurrent("minlstm", 4, 4, bias=False)
    theirs = package.minLSTM(4).double()
    f, i, g = module.weight_ih_l0.detach().chunk(3)
    theirs.to_hidden_and_f_i_gate.weight.data = torch.cat([g, f, i])
    x, last = noise(20, 2, 4, seed=4), torch.rand(2, 1, 4, dtype=torch.float64)
    before, steps = last[:, 0][None], []
    for now in x:
        _, last = theirs(now[:, None], last, return_next_prev_hidden=True)
        steps.append(last[:, 0])
    assert gap(module(x, before)[0], torch.stack(steps)) <= EXACT
    assert gap(module(x)[0], theirs(x.transpose(0, 1)).transpose(0, 1)) <= EXACT


def test_cfc_is_that_of_ncps() -> None:
    cells = pytest.importorskip("ncps.torch.cfc_cell")
    module, p, x = run("cfc", backbone=7)
    cell = cells.CfCCell(3, 4, backbone_units=7).double()
    own = {
        "backbone.0.weight": torch.cat([p["weight_ih"], p["weight_hh"]], 1),
        "backbone.0.bias": p["bias_ih"],
    }
    for number, name in enumerate(("ff1", "ff2", "time_a", "time_b")):
        own |= {f"{name}.{kind}": p[f"{kind}_u"].chunk(4)[number] for kind in ("weight", "bias")}
    cell.load_state_dict(own)
    h, steps = torch.zeros(2, 4, dtype=torch.float64), []
    for now in x:
        h, _ = cell(now, h, 1.0)
        steps.append(h)
    assert gap(module(x)[0], torch.stack(steps)) <= EXACT


def test_lstm_layernorm_is_an_lstm_cell_with_torchs_modules_in_it() -> None:
    module, p, x = run("lstm_layernorm")
    norms = {name: [nn.LayerNorm(4).double() for _ in range(4)] for name in "xh"}
    last = nn.LayerNorm(4).double()
    last.load_state_dict({"weight": p["weight_ln_c"], "bias": p["bias_ln_c"]})
    h = c = torch.zeros(2, 4, dtype=torch.float64)
    steps = []
    for now in x:
        gates = []
        for row in range(4):
            parts = []
            for name, value in (("x", now), ("h", h)):
                norm = norms[name][row]
                norm.load_state_dict({"weight": p[f"weight_ln_{name}"].chunk(4)[row], "bias": torch.zeros(4)})
                weight = p["weight_ih" if name == "x" else "weight_hh"].chunk(4)[row]
                parts.append(norm(value @ weight.T))
            gates.append(parts[0] + parts[1] + (p["bias_ih"] + p["bias_hh"]).chunk(4)[row])
        i, f, g, o = gates[0].sigmoid(), gates[1].sigmoid(), gates[2].tanh(), gates[3].sigmoid()
        c = f * c + i * g
        h = o * last(c).tanh()
        steps.append(h)
    assert gap(module(x)[0], torch.stack(steps)) <= EXACT


def test_slstm_without_its_stabilizer_is_the_same() -> None:
    """The exponential gates as the paper first has them, which overflow where the stabilized ones do not."""
    module, p, x = run("slstm", heads=2)
    h = c = n = torch.zeros(2, 4, dtype=torch.float64)
    recurrent = torch.cat([torch.block_diag(*blocks) for blocks in p["weight_hh_blocks"].chunk(4)])
    steps = []
    for now in x:
        i, f, z, o = (now @ p["weight_ih"].T + p["bias_ih"] + h @ recurrent.T).chunk(4, -1)
        c = f.sigmoid() * c + i.exp() * z.tanh()
        n = f.sigmoid() * n + i.exp()
        h = o.sigmoid() * c / n
        steps.append(h)
    assert gap(module(x)[0], torch.stack(steps)) <= EXACT


def test_a_checkpoint_says_the_sizes_of_its_own() -> None:
    for name, sizes in (("slstm", {"heads": 2}), ("rglru", {"heads": 4}), ("cfc", {"backbone": 7})):
        module = Recurrent(name, 3, 4, **sizes)
        (layer,) = find_layers({key: tuple(value.shape) for key, value in module.state_dict().items()})
        ((size, number),) = sizes.items()
        assert str(layer) == f"the file itself: {name} 3 → 4, {size} {number}"
        assert layer.layout == module.layout


def test_slstm_is_finite_where_its_gates_alone_would_overflow() -> None:
    module = random_recurrent("slstm", dtype=torch.float32)
    with torch.no_grad():
        module.bias_ih_l0.copy_(torch.tensor([500.0, -500.0, 0.0, 0.0]).repeat_interleave(4))
    x = noise(20, 2, 3, seed=4, dtype=torch.float32).requires_grad_()
    output = module(x)[0]
    output.sum().backward()
    assert output.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore")
def test_rglru_is_that_of_recurrentgemma_with_its_reset() -> None:
    modeling = pytest.importorskip("transformers.models.recurrent_gemma.modeling_recurrent_gemma")
    module, p, x = run("rglru", heads=2)
    config = modeling.RecurrentGemmaConfig(lru_width=4, num_attention_heads=2)
    theirs = modeling.RecurrentGemmaRglru(config).double()
    recurrent, entering = p["weight_gates"].chunk(2)
    b_recurrent, b_entering = (b.reshape(2, 2) for b in p["bias_gates"].chunk(2))
    weights = {"recurrent_gate": recurrent, "input_gate": entering}
    own = {f"{name}_weight": blocks.transpose(1, 2) for name, blocks in weights.items()}
    own |= {"recurrent_gate_bias": b_recurrent, "input_gate_bias": b_entering, "recurrent_param": p["decay"]}
    theirs.load_state_dict(own)
    v = (x @ p["weight_ih"].T + p["bias_ih"]).transpose(0, 1)
    wanted = theirs(v, torch.arange(20).expand(2, 20)).transpose(0, 1)
    assert gap(module(x)[0], wanted) <= 1e-6  # it keeps its state in float32
    positions = torch.cat([torch.arange(12), torch.arange(8)]).expand(2, 20)
    theirs.recurrent_states = None
    wanted = theirs(v, positions).transpose(0, 1)
    first, (h, _) = module(x[:12])
    again = module(x[12:], (h, torch.zeros(1, 2, 1, dtype=torch.float64)))[0]
    assert gap(torch.cat([first, again]), wanted) <= 1e-6


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
