"""`Recurrent` against torch.nn.LSTM, GRU and RNN: the same call, the same results, the same parameters."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import torch
from oracles.recurrents import (
    CELL_NAMES,
    STOCK_NAMES,
    as_states,
    gap,
    noise,
    random_recurrent,
    random_states,
    stock_module,
    stock_of,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstmtui.models.recurrent import Recurrent

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def random_case(cell: str, seed: int, dtype: torch.dtype) -> tuple[Recurrent, Tensor, Any]:
    """A module of random sizes, x and hx."""
    chosen = random.Random(f"{cell}{seed}")
    hidden = chosen.randint(2, 9)
    module = random_recurrent(
        cell,
        chosen.randint(1, 6),
        hidden,
        dtype=dtype,
        seed=seed,
        num_layers=1 + seed % 3,
        bidirectional=chosen.random() < 0.5,
        proj_size=chosen.randint(1, hidden - 1) if cell == "lstm" and chosen.random() < 0.5 else 0,
        bias=chosen.random() < 0.7,
        batch_first=chosen.random() < 0.5,
    )
    batch, steps = chosen.randint(1, 4), chosen.randint(1, 9)
    shape = (batch, steps) if module.batch_first else (steps, batch)
    x = noise(*shape, module.layout.input_size, seed=seed + 40, dtype=dtype)
    return module, x, random_states(module, batch)


def assert_same(ours: Any, theirs: Any, tolerance: float) -> None:
    assert gap(ours[0], theirs[0]) <= tolerance
    for mine, stock in zip(as_states(ours[1]), as_states(theirs[1]), strict=True):
        assert gap(mine, stock) <= tolerance


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_results_are_those_of_the_stock_module(cell: str, seed: int, dtype: torch.dtype) -> None:
    module, x, hx = random_case(cell, seed, dtype)
    stock = stock_of(module)
    assert_same(module(x, hx), stock(x, hx), TOLERANCE[dtype])
    assert_same(module(x), stock(x), TOLERANCE[dtype])


@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_an_unbatched_sequence_gives_the_stock_shapes(cell: str) -> None:
    for module in (
        random_recurrent(cell, batch_first=True),
        random_recurrent(cell, num_layers=2, bidirectional=True),
    ):
        states = tuple(s[:, 0] for s in as_states(random_states(module, 1)))
        hx = states if len(states) > 1 else states[0]
        x = noise(5, 3, seed=41)
        assert_same(module(x, hx), stock_of(module)(x, hx), 1e-12)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_lengths_give_what_packing_gives(cell: str, batch_first: bool) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True, batch_first=batch_first)
    x, hx, lengths = noise(7, 4, 3, seed=42), random_states(module, 4), torch.tensor([3, 7, 1, 7])
    x = x.transpose(0, 1) if batch_first else x
    packed = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    output, state = stock_of(module)(packed, hx)
    padded = pad_packed_sequence(output, batch_first)[0]
    assert_same(module(x, hx, lengths), (padded, state), 1e-12)


@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_what_stands_in_the_padding_reaches_nothing(cell: str) -> None:
    module = random_recurrent(cell, bidirectional=True)
    x, lengths = noise(5, 2, 3, seed=43), torch.tensor([5, 2])
    spoiled = x.clone()
    spoiled[2:, 1] = float("nan")
    output, state = module(spoiled, None, lengths)
    assert_same((output, state), module(x, None, lengths), 0.0)
    (output**2).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("lengths", [[4, 6, 6], [6, 5, 5], [3, 3, 3]])
@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_a_packed_sequence_comes_back_packed_as_the_stock_module_packs_it(
    cell: str, is_sorted: bool, lengths: list[int]
) -> None:
    module = random_recurrent(cell, bidirectional=True)
    x, hx = noise(6, 3, 3, seed=44), random_states(module, 3)
    counts = torch.tensor(sorted(lengths, reverse=True) if is_sorted else lengths)
    packed = pack_padded_sequence(x, counts, enforce_sorted=is_sorted)
    (output, state), (stock_output, stock_state) = module(packed, hx), stock_of(module)(packed, hx)
    assert isinstance(output, PackedSequence)
    assert_same((output.data, state), (stock_output.data, stock_state), 1e-12)
    assert torch.equal(output.batch_sizes, stock_output.batch_sizes)
    for ours, theirs in (
        (output.sorted_indices, stock_output.sorted_indices),
        (output.unsorted_indices, stock_output.unsorted_indices),
    ):
        assert (ours is None) == (theirs is None)
        assert ours is None or theirs is None or torch.equal(ours, theirs)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 3, "bidirectional": True},
    {"bias": False, "num_layers": 2},
]


@pytest.mark.parametrize("options", [*OPTIONS, {"proj_size": 2, "bidirectional": True}])
@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_parameters_have_the_stock_names_order_shapes_and_first_values(
    cell: str, options: dict[str, Any]
) -> None:
    if "proj_size" in options and cell != "lstm":
        with pytest.raises(ValueError, match=f"proj_size {cell} has no projection"):
            Recurrent(cell, 3, 4, **options)
        return
    torch.manual_seed(11)
    ours = Recurrent(cell, 3, 4, **options)
    torch.manual_seed(11)
    theirs = stock_module(cell, 3, 4, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    ours.load_state_dict(stock_module(cell, 3, 4, **options).state_dict(), strict=True)


def test_peepholes_are_vectors_named_by_their_gate() -> None:
    module = Recurrent("lstm_peephole", 3, 4, num_layers=2, bidirectional=True)
    shapes = {n: tuple(p.shape) for n, p in module.named_parameters() if n.startswith("weight_c")}
    assert shapes == {
        f"weight_c{gate}_l{layer}{end}": (4,)
        for layer in (0, 1)
        for end in ("", "_reverse")
        for gate in "ifo"
    }


@pytest.mark.parametrize("cell", STOCK_NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_the_stock_module(cell: str, seed: int) -> None:
    module, x, hx = random_case(cell, seed, torch.float64)
    stock = stock_of(module)
    mine, his = x.clone().requires_grad_(), x.clone().requires_grad_()
    for net, leaf in ((module, mine), (stock, his)):
        output, state = net(leaf, hx)
        ((output**2).sum() + sum((s**3).sum() for s in as_states(state))).backward()
    assert gap(mine.grad, his.grad) <= 1e-12
    for name, parameter in stock.named_parameters():
        assert gap(module.get_parameter(name).grad, parameter.grad) <= 1e-12, name


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_training_steps_reduce_the_loss(cell: str) -> None:
    module = Recurrent(cell, 3, 6, num_layers=2)
    x, wanted = noise(5, 4, 3, seed=45, dtype=torch.float32), noise(5, 4, 6, seed=46, dtype=torch.float32)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = ((module(x)[0] - wanted.tanh()) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_gradcheck(cell: str) -> None:
    module = random_recurrent(cell, 2, 2, proj_size=int(cell.startswith("lstm")))
    names = [n for n, _ in module.named_parameters()]
    inputs = (noise(3, 1, 2, seed=47), *as_states(random_states(module, 1)), *module.parameters())
    leaves = tuple(i.detach().clone().requires_grad_() for i in inputs)
    count = len(module.layout.cell.states)

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        hx = rest[:count] if count > 1 else rest[0]
        given = dict(zip(names, rest[count:], strict=True))
        output, state = torch.func.functional_call(module, given, (x, hx))
        return output, *as_states(state)

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_copy_and_a_saved_state_compute_the_same(cell: str) -> None:
    module = random_recurrent(cell, num_layers=2)
    x = noise(4, 2, 3, seed=48)
    again = Recurrent(cell, 3, 4, num_layers=2, dtype=torch.float64)
    again.load_state_dict(module.state_dict())
    twin = copy.deepcopy(module)
    for other in (twin, again):
        assert torch.equal(other(x)[0], module(x)[0])
    next(twin.parameters()).data.zero_()
    assert not torch.equal(twin(x)[0], module(x)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_half_precision_is_near_the_full_one(cell: str, dtype: torch.dtype) -> None:
    module = random_recurrent(cell)
    x = noise(4, 2, 3, seed=49)
    full = module(x)[0]
    output = module.to(dtype)(x.to(dtype))[0]
    assert output.dtype == dtype
    assert gap(output, full) < (0.02 if dtype == torch.float16 else 0.15)


def test_repr_names_the_sizes_and_what_differs_from_the_defaults() -> None:
    assert repr(Recurrent("gru", 3, 4)) == "Recurrent('gru', 3, 4)"
    module = Recurrent("lstm", 3, 4, num_layers=2, bias=False, batch_first=True, proj_size=2)
    text = "Recurrent('lstm', 3, 4, num_layers=2, proj_size=2, bias=False, batch_first=True)"
    assert repr(module) == text


@pytest.mark.parametrize("cell", STOCK_NAMES)
def test_dropout_between_layers_is_on_in_training_only(cell: str) -> None:
    module = random_recurrent(cell, num_layers=2, dropout=0.5)
    x = noise(4, 2, 3, seed=51)
    torch.manual_seed(5)
    first = module(x)[0]
    torch.manual_seed(5)
    assert torch.equal(module(x)[0], first)
    torch.manual_seed(6)
    assert not torch.equal(module(x)[0], first)
    module.eval()
    assert_same(module(x), stock_of(module)(x), 1e-12)


LSTM: dict[str, Any] = {"cell": "lstm", "input_size": 3, "hidden_size": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "ltsm"}, r"cell 'ltsm': must be one of rnn_tanh, .*gru_reset_before"),
        ({"hidden_size": 0}, "hidden_size must be 1 or more, is 0"),
        ({"input_size": -1}, "input_size must be 1 or more, is -1"),
        ({"num_layers": 0}, "num_layers must be 1 or more, is 0"),
        ({"proj_size": 4}, "proj_size must lie between 0 and hidden_size − 1, is 4"),
        ({"proj_size": -1}, "proj_size must lie between 0 and hidden_size − 1, is -1"),
        ({"dropout": 1.5}, "dropout must lie between 0 and 1, is 1.5"),
    ],
)
def test_sizes_that_do_not_fit_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recurrent(**(LSTM | change))


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((zeros(5, 2, 4),), r"x: expected \(T, B, 3\), found \(5, 2, 4\)"),
        ((zeros(3),), r"x: expected \(T, B, 3\), found \(3,\)"),
        ((zeros(0, 2, 3),), "at least one timestep"),
        ((zeros(5, 2, 3), zeros(1, 2, 4)), "hx: expected h and c, found 1 tensor"),
        ((zeros(5, 2, 3), (zeros(1, 3, 4), zeros(1, 2, 4))), r"hx: h must be \(1, 2, 4\), is \(1, 3, 4\)"),
        ((zeros(5, 2, 3), (zeros(1, 2, 4), zeros(2, 2, 4))), r"hx: c must be \(1, 2, 4\), is \(2, 2, 4\)"),
        ((zeros(5, 2, 3), None, torch.tensor([5])), r"lengths: expected \(2,\), found \(1,\)"),
        ((zeros(5, 2, 3), None, torch.tensor([5, 0])), "lengths: each must lie between 1 and 5"),
        ((zeros(5, 2, 3), None, torch.tensor([6, 5])), "lengths: each must lie between 1 and 5"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recurrent(**LSTM)(*arguments)


def test_batch_first_expects_the_batch_first() -> None:
    module = Recurrent("gru", 3, 4, batch_first=True)
    output, state = module(zeros(2, 5, 3))
    assert (tuple(output.shape), tuple(state.shape)) == ((2, 5, 4), (1, 2, 4))
    with pytest.raises(ValueError, match="hx: h must be"):
        module(zeros(2, 5, 3), zeros(1, 5, 4))


def test_it_can_be_part_of_a_model_with_other_modules() -> None:
    model = nn.ModuleDict({"rnn": Recurrent("lstm_peephole", 3, 4), "head": nn.Linear(4, 1)})
    assert sum(p.numel() for p in model.parameters()) == 4 * 4 * (3 + 4 + 2) + 3 * 4 + 5
