"""Values and gradients that shrink by many orders of magnitude are right to the last of them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from capture.test_fused_mutations import with_mistake
from oracles.precise_loops import Scan
from oracles.random_layers import tapped
from torch import Tensor, nn

from lstmtui.capture.fused import equations, method, recurrence, taps
from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent

NEAR = 1e-4
"""A plain float32 loop is off by up to 5e-5 here."""
SMALLEST = 1e-36
"""Below it float32 runs out of digits."""


def set_to(module: nn.Module, **values: Any) -> Any:
    """The module with all parameters 0 but some: name → (place, value)."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.zero_()
            for place, value in values.get(name, ()):
                parameter[place] = value
    return module


def lstm() -> tuple[Any, Tensor, Any]:
    """One unit that remembers with f = 0.95, and that its own output pushes back."""
    module = set_to(
        nn.LSTM(1, 1),
        bias_ih_l0=[(slice(None), torch.tensor([3.0, 3.0, 0.0, 3.0]))],
        weight_hh_l0=[((2, 0), -1.0)],
    )
    return module, torch.zeros(25, 1, 1), (torch.zeros(1, 1, 1), torch.ones(1, 1, 1))


def projected_lstm() -> tuple[Any, Tensor, Any]:
    """The same in two units, of which half the sum is projected."""
    module = set_to(
        nn.LSTM(1, 2, proj_size=1),
        bias_ih_l0=[(slice(None), torch.tensor([3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0]))],
        weight_hh_l0=[((slice(4, 6), 0), -1.0)],
        weight_hr_l0=[(slice(None), 0.5)],
    )
    return module, torch.zeros(25, 1, 1), (torch.zeros(1, 1, 1), torch.ones(1, 1, 2))


def gru() -> tuple[Any, Tensor, Any]:
    """One unit with z = 0.9 that its own output pushes back."""
    module = set_to(nn.GRU(1, 1), bias_ih_l0=[(1, 2.2)], weight_hh_l0=[((2, 0), -14.0)])
    return module, torch.zeros(60, 1, 1), torch.full((1, 1, 1), 0.01)


def ordinary_lstm() -> tuple[Any, Tensor, Any]:
    """What PyTorch initialises."""
    torch.manual_seed(1)
    return nn.LSTM(3, 4), torch.randn(100, 1, 3), (torch.zeros(1, 1, 4), torch.zeros(1, 1, 4))


def coupled_lstm() -> tuple[Any, Tensor, Any]:
    """i near 0 and g near c, so that ∂L/∂i by either nearly cancels."""
    module = set_to(
        Recurrent("lstm_coupled", 1, 1),
        weight_ih_l0=[((0, 0), 1.0)],
        weight_hh_l0=[((0, 0), 20.0)],
        bias_ih_l0=[(slice(None), torch.tensor([-24.0, 9.0, 3.0]))],
    )
    return module, torch.zeros(12, 1, 1), (torch.full((1, 1, 1), 0.7), torch.ones(1, 1, 1))


def error(case: Callable[[], tuple[Any, Tensor, Any]], by_kernel: bool) -> float:
    """The largest relative error of any value or derivative of any timestep, by norm."""
    module, x, hx = case()
    with tapped(by_kernel):
        trace = record(module, x, hx=hx)
    states = hx if isinstance(hx, tuple) else (hx,)
    wide = {n.removesuffix("_l0"): p.detach().double().numpy()[None] for n, p in module.named_parameters()}
    scan = Scan(
        trace.cell().name,
        {name: array.astype(np.longdouble) for name, array in wide.items()},
        x.permute(1, 0, 2).numpy().astype(np.longdouble),
        [s[0].numpy().astype(np.longdouble) for s in states],
    )
    d_h = np.zeros_like(scan.values["h"])
    d_h[:, -1] = 1
    scan.backward(d_h)
    found = 0.0
    exact = scan.values | {"d" + name: array for name, array in scan.derivatives.items()}
    for name, array in exact.items():
        truth, ours = array[0].astype(np.float64), trace.values(name)[:, 0].astype(np.float64)
        size = np.linalg.norm(truth, axis=-1)
        gap = np.linalg.norm(ours - truth, axis=-1)[size > SMALLEST] / size[size > SMALLEST]
        found = max(found, gap.max(initial=0.0))
    return found


CASES = (lstm, projected_lstm, gru, ordinary_lstm)


@pytest.mark.parametrize("by_kernel", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_what_shrinks_is_right_at_every_timestep(
    case: Callable[[], tuple[Any, Tensor, Any]], by_kernel: bool
) -> None:
    assert error(case, by_kernel) <= NEAR


def test_what_tied_gates_cancel_is_as_right_as_in_a_plain_loop() -> None:
    module, x, hx = coupled_lstm()
    d_x = record(module, x, hx=hx).values("dx")
    assert d_x[9, 0, 0] == pytest.approx(-9.2e-13, abs=10 * (2.252e-12 - 9.2e-13))
    with torch.no_grad():
        module.double()
    d_x = record(module, x.double(), hx=tuple(s.double() for s in hx)).values("dx")
    assert d_x[9, 0, 0] == pytest.approx(-9.2000e-13, rel=1e-3)


def test_a_gate_that_the_kernel_takes_for_0_is_none() -> None:
    module = set_to(
        nn.LSTM(1, 1),
        weight_ih_l0=[(slice(None), torch.tensor([[1.0], [0.0], [0.0], [0.0]]))],
        bias_ih_l0=[(slice(None), torch.tensor([-88.0, -20.0, 9.0, 20.0]))],
    )
    trace = record(module, torch.zeros(12, 1, 1))
    wanted = float(torch.sigmoid(torch.tensor(-88.0, dtype=torch.float64)))
    for name in ("h", "di_pre", "dx"):
        assert trace.values(name)[-1] == pytest.approx(wanted, rel=1e-5, abs=0), name


def test_gradients_among_the_smallest_numbers_are_as_right_as_in_a_plain_loop() -> None:
    module, x, hx = lstm()
    trace = record(module, x, hx=hx, loss=lambda result: 1e-38 * result[0][-1].sum())
    plain = record(module, x, hx=hx, loss=lambda result: result[0][-1].sum())
    ours, wanted = trace.norms("dc")[:, 0], 1e-38 * plain.norms("dc")[:, 0]
    assert np.all(np.abs(ours - wanted) <= 10 * np.finfo(np.float32).smallest_subnormal)
    assert wanted[-3] < np.finfo(np.float32).tiny


MISTAKES = (
    (lstm, recurrence, "MOST = 32.0", "MOST = 1e30"),
    (lstm, recurrence, "alpha=MOST).amax()", "alpha=MOST).amin()"),
    (lstm, equations, "torch.where(lost, squashed.atanh(), c)", "c"),
    (projected_lstm, recurrence, "torch.abs(terms, out=both[1])", "both[1] = terms"),
    (projected_lstm, method, "if not suspicion <= 0", "if False"),
    (projected_lstm, equations, "suspicion(sizes, values", "-suspicion(sizes, values"),
    (gru, recurrence, "torch.abs(terms, out=both[1])", "both[1] = terms"),
    (ordinary_lstm, taps, "suspicious <= 0 or", "True or"),
    (lstm, taps, "bool(excess(", "True or bool(excess("),
)  # fmt: skip
"""A case in which it shows, the module, and what stands there in place of what."""


@pytest.mark.parametrize(
    ("case", "module", "right", "wrong"), MISTAKES, ids=[f"{c.__name__}-{w}" for c, _, _, w in MISTAKES]
)
def test_a_mistake_is_seen(
    case: Callable[[], tuple[Any, Tensor, Any]],
    module: ModuleType,
    right: str,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_mistake(module, right, wrong, monkeypatch)
    assert not error(case, True) <= NEAR
