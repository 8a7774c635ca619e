"""Maps of weights and of the gradients by them: torch's own numbers, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.recurrents import noise, random_recurrent

import lstmtui
from lstmtui.analysis.weights import weight_limit, weight_map
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.view import View

LARGE = 10_000


def both(module: torch.nn.Module) -> tuple[Trace, dict[str, np.ndarray]]:
    """The run of a module, and the gradients that torch gives."""
    x = noise(7, 2, 3, seed=4)
    trace = lstmtui.record(module, x, loss=lambda out: (out[0] ** 2).sum())
    module.zero_grad()
    (module(x)[0] ** 2).sum().backward()
    return trace, {name: p.grad.detach().numpy() for name, p in module.named_parameters()}


@pytest.mark.parametrize(
    ("module", "rows"),
    [(torch.nn.LSTM, "ifgo"), (torch.nn.GRU, "rzn")],
)
def test_each_gate_has_its_rows_of_torchs_matrices(module, rows: str) -> None:
    layer = module(3, 5, dtype=torch.float64)
    trace, gradients = both(layer)
    weights = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    view = View.of(trace)
    for at, row in enumerate(rows):
        own = slice(5 * at, 5 * at + 5)
        for symbol, name in ((f"W_{row}", "weight_ih_l0"), (f"R_{row}", "weight_hh_l0")):
            shown = weight_map(view, symbol, LARGE, LARGE).values.T
            assert np.array_equal(shown, weights[name][own]), symbol
            shown = weight_map(view, symbol, LARGE, LARGE, is_gradient=True).values.T
            np.testing.assert_allclose(shown, gradients[name][own], rtol=1e-10, atol=1e-14)
        # Two biases that are added have one gradient, and not twice that.
        shown = weight_map(view, f"b_{row}", LARGE, LARGE, is_gradient=True).values[0]
        np.testing.assert_allclose(shown, gradients["bias_ih_l0"][own], rtol=1e-10, atol=1e-14)


def test_a_bias_is_the_sum_of_both_unless_they_act_in_different_places() -> None:
    layer = torch.nn.GRU(3, 5, dtype=torch.float64)
    trace, gradients = both(layer)
    view = View.of(trace)
    ih, hh = layer.bias_ih_l0.detach().numpy(), layer.bias_hh_l0.detach().numpy()
    assert np.array_equal(weight_map(view, "b_z", LARGE, LARGE).values[0], (ih + hh)[5:10])
    assert np.array_equal(weight_map(view, "bh_n", LARGE, LARGE).values[0], hh[10:])
    shown = weight_map(view, "bh_n", LARGE, LARGE, is_gradient=True).values[0]
    np.testing.assert_allclose(shown, gradients["bias_hh_l0"][10:], rtol=1e-10)


def test_blocks_on_the_diagonal_have_zeros_around_them() -> None:
    module = random_recurrent("slstm", hidden_size=4, heads=2)
    trace, gradients = both(module)
    shown = weight_map(View.of(trace), "R_f", LARGE, LARGE, is_gradient=True).values.T
    blocks = gradients["weight_hh_blocks_l0"][2:4]
    np.testing.assert_allclose(shown[:2, :2], blocks[0], rtol=1e-10)
    np.testing.assert_allclose(shown[2:, 2:], blocks[1], rtol=1e-10)
    assert not shown[:2, 2:].any()


def test_what_has_no_room_shows_the_value_furthest_from_0() -> None:
    layer = torch.nn.LSTM(9, 7)
    trace = lstmtui.record(layer, noise(3, 1, 9, seed=1).float())
    made = weight_map(View.of(trace), "W_g", 3, 4)
    whole = layer.weight_ih_l0.detach().numpy()[14:21]
    assert (made.units_per_row, made.inputs_per_column, made.values.shape) == (3, 3, (3, 3))
    block = whole[3:6, 6:9]
    assert made.values[2, 1] == block.flat[np.abs(block).argmax()]


def test_colours_end_as_those_of_maps_do() -> None:
    layer = torch.nn.LSTM(3, 5, dtype=torch.float64)
    trace, _ = both(layer)
    matrices = (layer.weight_ih_l0, layer.weight_hh_l0)
    every = np.concatenate([matrix.detach().numpy().ravel() for matrix in matrices])
    symbols = tuple(f"{kind}_{row}" for row in "ifgo" for kind in "WR")
    expected = min(np.abs(every).max(), 3 * np.sqrt((every**2).mean()))
    assert weight_limit(View.of(trace), symbols) == pytest.approx(expected)


def test_what_is_not_there_is_said() -> None:
    trace, _ = both(torch.nn.LSTM(3, 5, dtype=torch.float64))
    for kind in ("parameters/", "parameter_gradients/"):
        kept = {key: array for key, array in trace.arrays.items() if not key.startswith(kind)}
        with pytest.raises(UserError, match="not in this trace"):
            weight_map(View.of(Trace(trace.header, kept)), "W_f", 9, 9, is_gradient=kind != "parameters/")
