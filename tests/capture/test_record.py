"""`record` on a single recurrent module: what it takes, what it gives, and what it leaves alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, STOCK_NAMES, gap, noise, random_recurrent, random_states, stock_of
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from lstmtui.capture.record import record
from lstmtui.errors import Cancelled, UserError
from lstmtui.models.recurrent import Recurrent

pytestmark = pytest.mark.usefixtures("each_method")
EXACT = 1e-12


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_the_default_loss_is_the_sum_of_the_last_hidden_state(cell: str, bidirectional: bool) -> None:
    module = stock_of(random_recurrent(cell, num_layers=2, bidirectional=bidirectional))
    x = noise(5, 2, 3, seed=70)
    trace = record(module, x)
    state = module(x)[1]
    last = (state[0] if cell == "lstm" else state)[-1 - bidirectional :]
    assert trace.loss == pytest.approx(float(last.detach().sum()), abs=EXACT)
    last.sum().backward()
    for name, parameter in module.named_parameters():
        assert gap(trace.parameter_gradients[name], parameter.grad) <= EXACT


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_quantity_and_its_derivative_is_there_with_time_first(cell: str) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True, batch_first=True)
    trace = record(module, noise(2, 5, 3, seed=71))
    for layer in (0, 1):
        names = trace.quantities(layer)
        cell_names = (*module.layout.cell.quantities, "x")
        assert set(names) == {p + q for q in (*cell_names, "y") for p in ("", "d")}
        for direction in ("forward", "backward"):
            for name in names:
                size = {"x": 3 if layer == 0 else 8, "y": 8}.get(name.removeprefix("d"), 4)
                assert trace.values(name, layer, direction).shape == (5, 2, size), name
    assert (trace.steps, trace.batch, len(trace.layers)) == (5, 2, 2)


@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_batch_first_is_the_same_run_with_its_axes_exchanged(cell: str) -> None:
    module = random_recurrent(cell)
    turned = random_recurrent(cell, batch_first=True)
    x = noise(5, 2, 3, seed=72)
    ours, theirs = record(turned, x.transpose(0, 1)), record(module, x)
    for name in theirs.quantities():
        assert gap(ours.values(name), theirs.values(name)) == 0, name


def test_an_unbatched_sequence_is_a_batch_of_one() -> None:
    module = random_recurrent("lstm", num_layers=2)
    x, hx = noise(5, 3, seed=73), tuple(noise(2, 4, seed=74 + n) for n in (0, 1))
    ours, theirs = record(module, x, hx=hx), record(module, x[:, None], hx=tuple(s[:, None] for s in hx))
    assert ours.batch == 1
    for name in theirs.quantities(1):
        assert gap(ours.values(name, 1), theirs.values(name, 1)) == 0, name


@pytest.mark.parametrize("is_sorted", [False, True])
def test_a_packed_sequence_is_recorded_as_a_padded_one(is_sorted: bool) -> None:
    module, lengths = nn.LSTM(3, 4).double(), torch.tensor([6, 4, 2] if is_sorted else [2, 6, 4])
    x = noise(6, 3, 3, seed=75)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=is_sorted)
    for device in (None, "cpu"):
        trace = record(module, packed, device=device)
        padded = record(module, x, lengths=lengths)
        assert trace.lengths.tolist() == lengths.tolist()
        for name in ("h", "c", "f", "dh", "dc", "df_pre"):
            assert gap(trace.values(name), padded.values(name)) <= EXACT, name


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_cell_is_run_over_the_whole_sequence_from_the_states_it_takes(kind: Any) -> None:
    cell = kind(3, 4).double()
    x = noise(5, 2, 3, seed=76)
    hx = tuple(noise(2, 4, seed=77 + n) for n in (0, 1))
    state = hx if kind is nn.LSTMCell else hx[0]
    trace = record(cell, x, hx=state)
    for t, step in enumerate(x):
        state = cell(step, state)
        assert gap(trace.values("h")[t], state[0] if kind is nn.LSTMCell else state) <= EXACT
    assert gap(trace.initial("h"), hx[0]) == 0
    alone = record(cell, x[:, 0], hx=tuple(s[0] for s in hx) if kind is nn.LSTMCell else hx[0][0])
    assert gap(alone.values("h"), trace.values("h")[:, :1]) <= EXACT
    assert set(trace.parameters) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}


def test_the_initial_states_and_their_derivatives_are_kept() -> None:
    module = random_recurrent("lstm", num_layers=2, bidirectional=True)
    hx = random_states(module, 2)
    leaves = tuple(s.clone().requires_grad_() for s in hx)
    trace = record(module, noise(4, 2, 3, seed=78), hx=hx)
    stock_of(module)(noise(4, 2, 3, seed=78), leaves)[1][0][-2:].sum().backward()
    for number, (layer, direction) in enumerate(
        ((0, "forward"), (0, "backward"), (1, "forward"), (1, "backward"))
    ):
        for state, leaf in zip("hc", leaves, strict=True):
            assert leaf.grad is not None
            assert gap(trace.initial(state, layer, direction), leaf[number]) == 0
            assert gap(trace.initial("d" + state, layer, direction), leaf.grad[number]) <= EXACT


def test_a_loss_of_the_users_own_and_the_output_with_its_derivative() -> None:
    module = nn.GRU(3, 4, batch_first=True).double()
    x, wanted = noise(2, 5, 3, seed=79), noise(2, 5, 4, seed=80)
    trace = record(module, x, loss=lambda result: nn.functional.mse_loss(result[0], wanted))
    output = module(x)[0].detach()
    assert trace.loss == pytest.approx(float(((output - wanted) ** 2).mean()), abs=EXACT)
    assert gap(trace.values("y"), output.transpose(0, 1)) <= EXACT
    assert gap(trace.values("dy"), 2 * (output - wanted).transpose(0, 1) / 40) <= EXACT


@pytest.mark.parametrize("loss", [3, "mse", torch.zeros(1)])
def test_a_loss_that_is_no_function_is_refused(loss: Any) -> None:
    with pytest.raises(TypeError, match=f"loss: must be a function .*; is {type(loss).__name__}$"):
        record(nn.LSTM(2, 3), torch.zeros(4, 1, 2), loss=loss)


def test_a_loss_that_does_not_depend_on_the_module_has_derivatives_of_zero() -> None:
    module, free = nn.LSTM(3, 4, num_layers=2), torch.ones((), requires_grad=True)
    trace = record(module, torch.ones(4, 1, 3), loss=lambda result: free * 2)
    assert trace.loss == 2
    assert not any(np.any(trace.values(q, layer)) for layer in (0, 1) for q in ("dh", "dc", "df", "dx", "dy"))
    assert not any(np.any(g) for g in trace.parameter_gradients.values())
    assert set(trace.parameter_gradients) == {n for n, _ in module.named_parameters()}


def test_a_loss_without_a_gradient_has_no_derivatives_and_says_so() -> None:
    with pytest.warns(RuntimeWarning, match="the loss has no gradient .*; no derivatives are recorded"):
        trace = record(
            nn.LSTM(3, 4, num_layers=2), torch.ones(4, 1, 3), loss=lambda result: torch.tensor(2.0)
        )
    assert trace.loss == 2
    for name in ("dh", "dc", "df", "dx", "dy"):
        with pytest.raises(UserError, match=f"{name}: not in this trace; the loss has no gradient"):
            trace.values(name, 1)
    with pytest.raises(UserError, match="dc before the first timestep: not in this trace; the loss"):
        trace.initial("dc")
    assert trace.parameter_gradients == {}
    assert trace.values("h").any()


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (lambda r: r[0], r"a tensor of shape \(4, 1, 4\)"),
        (lambda r: 1.0, "float"),
        (lambda r: None, "NoneType"),
    ],
    ids=["vector", "float", "None"],
)
def test_a_loss_that_is_no_scalar_tensor_is_refused(loss: Any, found: str) -> None:
    with pytest.raises(TypeError, match="loss: must return a scalar tensor, has returned " + found):
        record(nn.GRU(3, 4), torch.ones(4, 1, 3), loss=loss)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.functional.mse_loss], ids=["module", "function"])
def test_a_loss_that_wants_a_target_is_told_how_it_gets_one(loss: Any) -> None:
    with pytest.raises(TypeError, match=r"with a target it is loss=lambda y: criterion\(y, target\)"):
        record(nn.GRU(3, 4), torch.ones(4, 1, 3), loss=loss)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_frozen_parameters_do_not_hide_their_derivatives(cell: str) -> None:
    module, x = random_recurrent(cell), noise(4, 2, 3, seed=81)
    free = record(module, x)
    frozen = record(module.requires_grad_(False), x)
    for name in free.quantities():
        assert gap(frozen.values(name), free.values(name)) == 0
    for name, gradient in free.parameter_gradients.items():
        assert gap(frozen.parameter_gradients[name], gradient) == 0, name
    assert not any(p.requires_grad for p in module.parameters())


def snapshot(module: nn.Module) -> dict[str, Any]:
    return {
        "parameters": copy.deepcopy(module.state_dict()),
        "gradients": {n: None if p.grad is None else p.grad.clone() for n, p in module.named_parameters()},
        "modes": [m.training for m in module.modules()],
        "own": [sorted(vars(m)) for m in module.modules()],
        "random": torch.get_rng_state(),
    }


def assert_untouched(module: nn.Module, before: dict[str, Any]) -> None:
    after = snapshot(module)
    assert after["modes"] == before["modes"]
    assert after["own"] == before["own"]
    assert torch.equal(after["random"], before["random"])
    for name, value in before["parameters"].items():
        assert torch.equal(after["parameters"][name], value)
    for name, gradient in before["gradients"].items():
        found = after["gradients"][name]
        assert (gradient is None and found is None) or torch.equal(found, gradient)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "module", [nn.LSTM(3, 4), nn.GRUCell(3, 4), Recurrent("lstm_peephole", 3, 4), nn.Sequential(nn.RNN(3, 4))]
)
def test_the_module_and_the_random_numbers_are_left_as_they_were(module: nn.Module, training: bool) -> None:
    module = copy.deepcopy(module).train(training)
    next(module.parameters()).grad = torch.full_like(next(module.parameters()), 3.0)
    x = torch.ones(4, 2, 3, requires_grad=True)
    before = snapshot(module)
    record(module, x)
    assert_untouched(module, before)
    assert x.grad is None


def raising(error: Exception) -> Any:
    def call(*_: Any) -> Tensor:
        raise error

    return call


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"loss": raising(KeyError("mine"))}, KeyError),
        ({"progress": raising(Cancelled())}, Cancelled),
        ({"hx": torch.ones(3, 2, 4)}, ValueError),
    ],
)
def test_the_module_is_left_as_it_was_after_an_exception(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    module = nn.GRU(3, 4)
    before = snapshot(module)
    with pytest.raises(error):
        record(module, torch.ones(4, 2, 3), **arguments)
    assert_untouched(module, before)
    assert module(torch.ones(4, 2, 3))[0].shape == (4, 2, 4)


def test_it_records_within_no_grad() -> None:
    module, x = nn.LSTM(3, 4), torch.ones(4, 2, 3)
    with torch.no_grad():
        trace = record(module, x)
        assert not torch.is_grad_enabled()
    assert gap(trace.values("dh"), record(module, x).values("dh")) == 0


def test_changing_the_module_or_the_input_afterwards_does_not_change_the_trace() -> None:
    module, x = nn.LSTM(3, 4), torch.ones(4, 2, 3)
    trace = record(module, x)
    kept = {key: array.copy() for key, array in trace.arrays.items()}
    with torch.no_grad():
        x.zero_()
        for parameter in module.parameters():
            parameter.zero_()
    for key, array in kept.items():
        assert np.array_equal(trace.arrays[key], array), key


def test_modules_without_anything_to_record_are_refused() -> None:
    class Own(nn.LSTM):
        def forward(self, x: Tensor) -> Any:  # type: ignore[override]
            return 2 * x

    with pytest.raises(TypeError, match=r"Linear holds no LSTM, GRU, RNN, their Cells or lstmtui.Recurrent"):
        record(nn.Linear(3, 4), torch.ones(4, 2, 3))
    with pytest.raises(
        TypeError, match=r"is function; `with lstmtui\.recording\(\) as r:` records a call of it"
    ):
        record(snapshot, torch.zeros(3, 1, 2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"must be an nn\.Module, is the class LSTM; make one of it first"):
        record(nn.LSTM, torch.ones(4, 2, 3))  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match="Sequential: none of PyTorch's recurrent layers computed anything: 0: Own"
    ):
        record(nn.Sequential(Own(3, 4)), torch.ones(4, 2, 3))
    with pytest.raises(TypeError, match="has lazy parameters without a shape; call it once first"):
        record(nn.Sequential(nn.LSTM(3, 4), nn.LazyLinear(2)), torch.ones(4, 2, 3))
    patched = nn.Sequential(nn.LSTM(3, 4))
    patched[0].forward = lambda x: x  # type: ignore[method-assign]
    with pytest.raises(TypeError, match="0: LSTM has a forward of its own, put on the object"):
        record(patched, torch.ones(4, 2, 3))


def test_inputs_that_are_no_sequence_are_refused() -> None:
    with pytest.raises(TypeError, match="x: expected a tensor, found ndarray"):
        record(nn.LSTM(3, 4), np.ones((4, 2, 3), np.float32))
    with pytest.raises(ValueError, match="x: there is no sequence in it"):
        record(nn.LSTM(3, 4), torch.ones(4, 0, 3))
    with pytest.raises(ValueError, match=r"x: expected \(T, B, 3\), found \(4, 2, 5\)"):
        record(nn.LSTM(3, 4), torch.ones(4, 2, 5))


def test_what_the_trace_says_about_the_run() -> None:
    trace = record(nn.LSTM(3, 4, num_layers=2, proj_size=2, bias=False), torch.ones(4, 2, 3), name="mine")
    assert (trace.name, trace.header.module, trace.header.device) == ("mine", "torch.LSTM", "cpu")
    assert record(nn.LSTM(3, 4), torch.ones(4, 2, 3)).name == "LSTM"
    layer = trace.layers[1]
    assert (layer.cell, layer.input_size, layer.hidden_size, layer.proj_size) == ("lstm", 2, 4, 2)
    assert (layer.bias, layer.bidirectional, layer.index, layer.path) == (False, False, 1, "")
    assert set(trace.layer_parameters(1, "forward")) == {"weight_ih", "weight_hh", "weight_hr"}
    assert gap(trace.norms("dh"), np.linalg.norm(trace.values("dh"), axis=-1)) <= 1e-6


def test_lengths_that_the_model_does_not_know_are_said_to_change_the_loss() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(2, 3, batch_first=True), nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            read: torch.Tensor = self.head(self.rnn(x)[0][:, -1])
            return read

    torch.manual_seed(0)
    model, x = Reader(), torch.randn(2, 8, 2)

    def loss(out: torch.Tensor) -> torch.Tensor:
        return (out**2).sum()

    with pytest.warns(RuntimeWarning, match="not what the model computes: the loss with lengths=") as caught:
        trace = record(model, x, loss=loss, lengths=[8, 3])
    own = float(loss(model(x)).detach())
    assert f"has {own:.6g}" in str(caught[0].message)
    assert f"{trace.loss:.6g}" in trace.header.loss_text
    assert trace.loss != pytest.approx(own)
    assert record(model, x, loss=loss, lengths=[8, 8]).header.loss_text == ""
