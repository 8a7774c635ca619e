"""Activation checkpoints, which run a layer again on the way back: recorded as without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import lstmtui
from lstmtui.capture.record import record

# A checkpoint within a re-entrant one has inputs without a gradient, the first time.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")

EXACT = 1e-12
Run = Callable[..., Any]


def plainly(function: Run, *args: Any) -> Any:
    return function(*args)


def reentrant(function: Run, *args: Any) -> Any:
    return checkpoint(function, *args, use_reentrant=True)


def saving(function: Run, *args: Any) -> Any:
    return checkpoint(function, *args, use_reentrant=False)


def selecting(function: Run, *args: Any) -> Any:
    """A checkpoint that keeps what clone returned, and gives it back on the way back."""

    def policy(_: Any, operation: Any, *args: Any, **options: Any) -> CheckpointPolicy:
        kept = operation is torch.ops.aten.clone.default
        return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

    def cloned(*args: Any) -> Any:
        result = function(*args)
        return result.clone() if isinstance(result, Tensor) else tuple(part.clone() for part in result)

    def contexts() -> Any:
        return create_selective_checkpoint_contexts(policy)

    return checkpoint(cloned, *args, use_reentrant=False, context_fn=contexts)


class Checkpointed(nn.Module):
    """Something recurrent between two linear layers, run by `run`."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__()
        self.run, self.first, self.last = run, nn.Linear(3, 3), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)))

    def middle(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Whole(Checkpointed):
    def __init__(self, run: Run = plainly, kind: Any = nn.LSTM, **options: Any) -> None:
        super().__init__(run)
        self.rnn = kind(3, 4, **options)

    def middle(self, x: Tensor) -> Tensor:
        return self.run(lambda v: self.rnn(v)[0], x)


class Before(Whole):
    """What the layer reads is from a checkpoint, the layer is in none."""

    def middle(self, x: Tensor) -> Tensor:
        return self.rnn(self.run(torch.sigmoid, x))[0]  # type: ignore[no-any-return]


class Recurring(Whole):
    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run, lambda *sizes: lstmtui.Recurrent("lstm_peephole", *sizes))


class Dropping(Whole):
    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run, nn.GRU, num_layers=2, dropout=0.4)


class Packed(Whole):
    def middle(self, x: Tensor) -> Tensor:
        def inner(v: Tensor) -> Tensor:
            packed = pack_padded_sequence(v, torch.tensor([2, 6]), enforce_sorted=False)
            return pad_packed_sequence(self.rnn(packed)[0])[0]

        return self.run(inner, x)


class Normed(Whole):
    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        spectral_norm(self.rnn, "weight_hh_l0")
        weight_norm(self.rnn, "weight_ih_l0")
        self.rnn.eval()


class Cells(Checkpointed):
    """A loop over a cell, so many timesteps in each checkpoint."""

    def __init__(self, run: Run = plainly, chunk: int = 1) -> None:
        super().__init__(run)
        self.cell, self.chunk = nn.GRUCell(3, 4), chunk

    def middle(self, x: Tensor) -> Tensor:
        def some(part: Tensor, h: Tensor) -> Tensor:
            states = []
            for step in part:
                h = self.cell(step, h)
                states.append(h)
            return torch.stack(states)

        outputs = [x.new_zeros(1, x.shape[1], 4)]
        for part in x.split(self.chunk):
            outputs.append(self.run(some, part, outputs[-1][-1]))
        return torch.cat(outputs[1:])


class Chunks(Cells):
    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run, 4)


class Silence(Chunks):
    """The first timesteps are all alike, so that only their order tells them apart."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.first.bias = None  # type: ignore[assignment]
        self.cell = nn.GRUCell(3, 4, bias=False)


class Stepwise(Checkpointed):
    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.rnn = nn.LSTM(3, 4, num_layers=2)

    def middle(self, x: Tensor) -> Tensor:
        state = (x.new_zeros(2, x.shape[1], 4), x.new_zeros(2, x.shape[1], 4))
        outputs = []
        for step in x:
            output, *state = self.run(
                lambda v, h, c: (lambda o, s: (o, *s))(*self.rnn(v, (h, c))), step[None], *state
            )
            outputs.append(output)
        return torch.cat(outputs)


class Continued(Checkpointed):
    """Some timesteps in each checkpoint, all of them read by one layer that goes on."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.rnn = nn.LSTM(3, 4)

    def middle(self, x: Tensor) -> Tensor:
        state = (x.new_zeros(1, x.shape[1], 4), x.new_zeros(1, x.shape[1], 4))
        outputs = []
        for part in x.split(2):
            output, *state = self.run(
                lambda v, h, c: (lambda o, s: (o, *s))(*self.rnn(v, (h, c))), part, *state
            )
            outputs.append(output)
        return torch.cat(outputs)


class Several(Checkpointed):
    """One layer twice and another, with a checkpoint inside a checkpoint."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.inner, self.outer = nn.GRU(3, 3), nn.LSTM(3, 4)

    def middle(self, x: Tensor) -> Tensor:
        def both(v: Tensor) -> Tensor:
            once = self.inner(v)[0]
            return self.outer(self.run(lambda u: self.inner(u)[0], once))[0]

        return self.run(both, x)


MODELS = [
    Whole,
    Before,
    Recurring,
    Dropping,
    Packed,
    Normed,
    Cells,
    Chunks,
    Silence,
    Stepwise,
    Continued,
    Several,
]


def squares(result: Tensor) -> Tensor:
    return (result**2).sum()


def recorded(model: nn.Module, x: Tensor, **options: Any) -> lstmtui.Trace:
    torch.manual_seed(4)
    return record(model, x, loss=squares, **options)


def made(kind: Any, run: Run) -> nn.Module:
    torch.manual_seed(3)
    return kind(run).double()  # type: ignore[no-any-return]


def input_of(kind: Any) -> Tensor:
    x = noise(6, 2, 3, seed=5)
    if kind is Silence:
        x[:4] = 0
    return x.requires_grad_()


@pytest.mark.parametrize("run", [reentrant, saving, selecting])
@pytest.mark.parametrize("kind", MODELS)
def test_a_layer_inside_a_checkpoint_is_recorded_as_without_it(kind: Any, run: Run) -> None:
    model, plain, x = made(kind, run), made(kind, plainly), input_of(kind)
    trace, wanted = recorded(model, x), recorded(plain, x)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [
        (layer.path, layer.calls) for layer in wanted.layers
    ]
    assert set(wanted.arrays) <= set(trace.arrays)
    for key in trace.arrays:
        assert gap(trace.arrays[key], wanted.arrays[key]) <= EXACT, key
    assert any(np.any(trace.values("dh", layer)) for layer in range(len(trace.layers)))
    torch.manual_seed(4)
    squares(model(x)).backward()
    for name, parameter in model.named_parameters():
        assert gap(trace.parameter_gradients[name], parameter.grad) <= 1e-9, name


def test_what_is_recorded_to_disk_has_the_derivatives_of_the_second_run(tmp_path: Path) -> None:
    model, plain, x = made(Several, reentrant), made(Several, plainly), input_of(Several)
    trace, wanted = recorded(model, x, path=tmp_path / "run"), recorded(plain, x)
    for key in trace.arrays:
        if not key.startswith(("norms/", "extent/")):
            assert gap(np.array(trace.arrays[key]), wanted.arrays[key]) <= EXACT, key


def test_gradients_and_hooks_of_the_users_parameters_are_left_alone() -> None:
    model, x = made(Whole, reentrant), input_of(Whole)
    own, called = torch.full_like(model.last.weight, 7), []
    model.last.weight.grad = own
    handle = model.last.weight.register_post_accumulate_grad_hook(called.append)
    recorded(model, x)
    assert model.last.weight.grad is own
    assert (own == 7).all()
    assert all(p.grad is None for name, p in model.named_parameters() if name != "last.weight")
    assert x.grad is None
    assert called == []
    squares(model(x)).backward()
    assert len(called) == 1
    handle.remove()


class Straight(torch.autograd.Function):
    """Runs something without a graph, and passes gradients on as if it were the identity."""

    @staticmethod
    def forward(ctx: Any, function: Run, x: Tensor) -> Tensor:
        return function(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient[..., :3]


def without_graph(function: Run, x: Tensor) -> Any:
    with torch.no_grad():
        return function(x)


def detached(function: Run, x: Tensor) -> Any:
    return 2 * (function(x) + 1).detach()


def data_of(function: Run, x: Tensor) -> Any:
    return function(x).data


def used_without_graph(function: Run, x: Tensor) -> Any:
    output = function(x)
    with torch.no_grad():
        return output.relu() * 2


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (Straight.apply, "inside a custom autograd Function"),
        (without_graph, "torch.no_grad"),
        (detached, "taken out of the graph"),
        (data_of, "taken out of the graph"),
        (used_without_graph, "taken out of the graph"),
    ],
)
@pytest.mark.parametrize("to_disk", [False, True])
def test_derivatives_that_were_not_computed_are_absent_and_never_0(
    run: Run, why: str, to_disk: bool, tmp_path: Path
) -> None:
    class Two(Whole):
        def __init__(self) -> None:
            super().__init__(run)
            self.more = nn.GRU(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.more(self.middle(x))[0])

    torch.manual_seed(2)
    trace = recorded(
        Two(), torch.randn(5, 2, 3, requires_grad=True), path=tmp_path / "r" if to_disk else None
    )
    trace.save(tmp_path / "again")
    for seen in (trace, lstmtui.load(tmp_path / "again")):
        assert isinstance(seen, lstmtui.Trace)
        for name in ("dh", "dc", "dx", "df_pre"):
            with pytest.raises(
                lstmtui.UserError, match=f"{name}: not in this trace; .*{why}.*no derivatives"
            ):
                seen.values(name, 0)
        with pytest.raises(lstmtui.UserError, match=f"not in this trace; .*{why}"):
            seen.norms("dh", 0)
        with pytest.raises(lstmtui.UserError, match=f"not in this trace; .*{why}"):
            seen.initial("dc", 0)
        assert not [name for name in seen.parameter_gradients if name.startswith("rnn.")]
        assert "dh" not in seen.quantities(0)
        assert seen.values("h", 0).any()
        assert seen.values("dh", 1).any()


@pytest.mark.parametrize("kind", [Whole, Chunks])
def test_a_call_that_rounds_otherwise_without_a_graph_is_known_when_it_is_repeated(
    kind: Any, tmp_path: Path
) -> None:
    class Rounding(kind):  # type: ignore[misc]
        """Without a graph x is a little other, as it is from kernels for inference."""

        def __init__(self, run: Run) -> None:
            def rounded(function: Run, x: Tensor, *rest: Any) -> Any:
                factor = 1 + 1e-7
                return run(lambda v, *r: function(v if torch.is_grad_enabled() else v * factor, *r), x, *rest)

            super().__init__(rounded)

    torch.manual_seed(1)
    model, plain, x = made(Rounding, reentrant), made(Rounding, plainly), input_of(kind)
    wanted = recorded(plain, x)
    with lstmtui.watch(model, when="len(dh) > 0", path=tmp_path / "w"):
        squares(model(x)).backward()
    written = lstmtui.load(tmp_path / "w")["step 0"]  # type: ignore[index]
    for trace in (recorded(model, x), written):
        for layer in range(len(wanted.layers)):
            assert gap(np.array(trace.values("dh", layer)), wanted.values("dh", layer)) <= 1e-5


@pytest.mark.parametrize("run", [reentrant, saving, selecting])
@pytest.mark.parametrize("kind", [Whole, Recurring, Normed, Dropping, Several])
def test_a_watched_model_with_checkpoints_trains_as_without_and_is_written(
    kind: Any, run: Run, tmp_path: Path
) -> None:
    model, other, plain, x = made(kind, run), made(kind, run), made(kind, plainly), input_of(kind)
    torch.manual_seed(4)
    squares(other(x)).backward()
    wanted = recorded(plain, x)
    torch.manual_seed(4)
    with lstmtui.watch(model, when="len(dh) > 0", path=tmp_path / "w") as watch:
        squares(model(x)).backward()
    assert len(watch.written) == 1
    for (name, parameter), same in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter.grad, same.grad), name
    trace = lstmtui.load(tmp_path / "w")["step 0"]  # type: ignore[index]
    for layer in range(len(wanted.layers)):
        for name in ("h", "dh", "dx"):
            assert gap(np.array(trace.values(name, layer)), wanted.values(name, layer)) <= EXACT, (
                layer,
                name,
            )


class Counting(Whole):
    """Counts in a buffer how often it runs, and says what has gone wrong if that is more than it knows of."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.register_buffer("count", torch.zeros(()))

    def middle(self, x: Tensor) -> Tensor:
        def counted(v: Tensor) -> Tensor:
            self.count += 1
            if self.count > 1 and torch.is_grad_enabled() and self.fails:
                raise TypeError("it runs but once")
            return self.rnn(v)[0]

        return self.run(counted, x)

    fails = False


def test_to_see_what_a_checkpoint_returned_leaves_the_model_and_its_random_numbers_alone() -> None:
    model, x = made(Counting, reentrant), input_of(Counting)
    torch.manual_seed(1)
    trace = recorded(model, x)
    assert gap(trace.values("y"), model(x)) <= EXACT
    assert model.count == 1
    model.fails = True
    with pytest.raises(TypeError, match="it runs but once"):
        recorded(model, x)  # of the backward pass, which the model's own would raise as well


class SilentSteps(Silence):
    """A checkpoint for each timestep, of which the first are all alike."""

    def __init__(self, run: Run = plainly) -> None:
        super().__init__(run)
        self.chunk = 1


def test_what_checkpoints_returned_that_nothing_tells_apart_is_left_out() -> None:
    x = input_of(Silence)
    trace, wanted = recorded(made(SilentSteps, reentrant), x), recorded(made(SilentSteps, plainly), x)
    assert "y" in wanted.arrays
    assert "y" not in trace.arrays
    assert gap(trace.values("h"), wanted.values("h")) <= EXACT


class CheckpointedHead(nn.Module):
    """What follows the layer is in checkpoints: of all timesteps, of each, or one that reads another."""

    def __init__(self, run: Run, how: str) -> None:
        super().__init__()
        self.rnn, self.fc, self.run, self.how = nn.LSTM(3, 4), nn.Linear(4, 5), run, how
        self.norm, self.count = nn.BatchNorm1d(4), 0

    def head(self, h: Tensor, beside: Tensor | None = None) -> Tensor:
        self.count += 1
        flat = self.norm(h.reshape(-1, 4)).reshape(h.shape)
        return self.fc(flat if beside is None else flat * beside)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.rnn(x)
        if self.how == "each timestep":
            result = torch.stack([self.run(self.head, h[t]) for t in range(len(h))])
        elif self.how == "turned":
            result = self.run(self.head, h.transpose(0, 1), h.mean(0).unsqueeze(1)).transpose(0, 1)
        else:
            result = self.run(self.head, self.run(torch.tanh, h))
        return result if self.count < 20 else result * 2


@pytest.mark.parametrize("how", ["all timesteps", "each timestep", "turned"])
def test_y_is_what_a_checkpoint_behind_the_layer_returned(how: str) -> None:
    plain = CheckpointedHead(plainly, how).double()
    model = CheckpointedHead(reentrant, how).double()
    model.load_state_dict(plain.state_dict())
    x, given = noise(6, 2, 3, seed=5), {name: value.clone() for name, value in plain.state_dict().items()}
    trace, wanted = recorded(model, x), recorded(plain, x)
    for name in ("y", "dy"):
        assert gap(trace.arrays[name], wanted.arrays[name]) <= EXACT
    assert model.count == 0
    assert all(torch.equal(value, given[name]) for name, value in model.state_dict().items())
