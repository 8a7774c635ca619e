"""Recurrences of packages that nobody here wrote: inner steps, and scans over all of time at once."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

import lstmtui
from lstmtui.trace.source import Source

T, B = 5, 2


def source_at(trace: lstmtui.Trace, path: str) -> tuple[int, Source]:
    number = next(n for n, layer in enumerate(trace.layers) if layer.path == path)
    source = trace.layers[number].source
    assert source is not None
    return number, source


def ncps(kind: str) -> Any:
    pytest.importorskip("ncps")
    from ncps import torch as cells

    torch.manual_seed(0)
    return getattr(cells, kind)(3, 4)


def test_cfc_has_the_names_of_its_authors() -> None:
    model, x = ncps("CfC"), torch.randn(B, T, 3)
    trace = lstmtui.record(model, x)
    number, source = source_at(trace, "rnn_cell")
    names = {"ff1", "ff2", "t_a", "t_b", "t_interp", "new_hidden"}
    assert names <= {variable.name for variable in source.variables}
    assert source.variable("new_hidden").carried_to == ("hx",)  # type: ignore[union-attr]
    value = {name: trace.values(name, number) for name in names}
    assert np.allclose(
        value["new_hidden"],
        value["ff1"] * (1 - value["t_interp"]) + value["t_interp"] * value["ff2"],
        atol=1e-6,
    )
    assert np.array_equal(trace.values("y"), value["new_hidden"])
    assert np.array_equal(trace.arrays["y"], model(x)[0].detach().numpy().swapaxes(0, 1))


def test_ltc_has_the_steps_of_its_solver_within_each_timestep() -> None:
    model, x = ncps("LTC"), torch.randn(B, T, 3)
    trace = lstmtui.record(model, x)
    number, source = source_at(trace, "rnn_cell")
    potential = source.variable("v_pre")
    assert potential is not None
    assert potential.inner_steps == 6
    inner = trace.arrays[f"{number}/forward/inner/v_pre"]
    assert inner.shape == (T, 6, B, 4)
    assert np.array_equal(inner[:, -1], trace.values("v_pre", number))
    assert np.array_equal(trace.values("next_state", number), trace.values("v_pre", number))
    d_inner = trace.arrays[f"{number}/forward/inner/dv_pre"]
    assert np.array_equal(d_inner[:, -1], trace.values("dv_pre", number))
    steps = [stage.inner_step for stage in source.stages if stage.variable == "v_pre"]
    assert steps == list(range(6))


def test_a_parallel_scan_is_over_time_along_the_axis_it_scans() -> None:
    pytest.importorskip("minGRU_pytorch")
    from minGRU_pytorch import minGRU

    torch.manual_seed(0)
    model, x = minGRU(4), torch.randn(B, T, 4)
    trace = lstmtui.record(model, x)
    assert (trace.steps, trace.batch) == (T, B)
    bare = model(x).detach().numpy()
    assert np.array_equal(trace.values("y"), bare.swapaxes(0, 1))
    assert np.array_equal(trace.values("out"), trace.values("y"))
    assert np.array_equal(trace.values("dout"), np.ones((T, B, 4), np.float32))
    # h = (1 − z) h⁻ + z h̃, step by step.
    z = torch.sigmoid(torch.tensor(trace.values("gate")))
    candidate = np.exp(trace.values("log_tilde_h"))
    h = np.zeros((B, 4))
    for t in range(T):
        h = (1 - z[t].numpy()) * h + z[t].numpy() * candidate[t]
        assert np.allclose(trace.values("out")[t], h, rtol=1e-5)


def test_the_slow_path_of_a_mamba_block_has_its_state_over_time() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.MambaConfig(
        vocab_size=11, hidden_size=8, state_size=4, num_hidden_layers=1, use_cache=False
    )
    model, ids = transformers.MambaModel(config).eval(), torch.randint(0, 11, (B, T))
    bare = model(ids).last_hidden_state.detach().numpy()
    trace = lstmtui.record(model, ids, loss=lambda out: out.last_hidden_state.square().sum(), time_axis=1)
    assert np.array_equal(trace.arrays["y"], bare.swapaxes(0, 1))
    layers = [
        n for n, layer in enumerate(trace.layers) if layer.source and layer.source.variable("ssm_state")
    ]
    assert layers
    source = trace.layers[layers[0]].source
    assert source is not None
    state = source.variable("ssm_state")
    assert state is not None
    assert (state.shape, state.carried_to) == ((16, 4), ("ssm_state",))
    assert trace.values("dssm_state", layers[0]).any()


def test_what_puts_tensors_in_order_for_any_framework_is_not_recorded() -> None:
    rearrange = pytest.importorskip("einops").rearrange

    class Loop(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.zeros(len(x), 3)
            for t in range(x.shape[1]):
                part = rearrange(x, "b t d -> t b d")[t]
                h = torch.tanh(h + part)
            return h

    # When it is called first, it goes through all frameworks that there are.
    sys.modules["einops._backends"]._type2backend.clear()
    trace = lstmtui.record(Loop(), torch.randn(B, T, 3, requires_grad=True))
    (layer,) = trace.layers
    assert layer.source is not None
    assert (trace.steps, [v.name for v in layer.source.variables]) == (T, ["x", "part", "h"])
    assert {function.file for function in layer.source.functions} == {__file__}
