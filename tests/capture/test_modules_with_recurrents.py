"""Models that hold recurrent modules: every gradient is that of plain autograd on the untouched model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace, load

EXACT = 1e-12
LENGTHS = torch.tensor([2, 6, 3])


class Tagger(nn.Module):
    """Embedding, GRU, dropout and head, batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.rnn = nn.GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 5)

    def forward(self, tokens: Tensor) -> Any:
        output, _ = self.rnn(self.embedding(tokens))
        return self.head(output)


class Translator(nn.Module):
    """An encoder whose states start a decoder of another kind."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(3, 4)
        self.decoder = Recurrent("lstm_peephole", 3, 4)
        self.unused = nn.LSTM(3, 4)

    def forward(self, x: Tensor) -> Any:
        _, state = self.encoder(x)
        return self.decoder(x.flip(0), state)


class Twice(nn.Module):
    """One module, called on what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 4)

    def forward(self, x: Tensor) -> Any:
        return x + self.rnn(self.rnn(x)[0])[0]


class Packing(nn.Module):
    """Packs its input and unpacks the output, as models of sentences do."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


class OwnLengths(nn.Module):
    """Knows how long its sequences are."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = Recurrent("gru_reset_before", 3, 4, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return self.rnn(x, None, LENGTHS)


def squares(result: Any) -> Any:
    output = result[0] if isinstance(result, tuple) else result
    return (output**2).sum()


CASES = [
    (Tagger, torch.tensor([[1, 2, 3, 1, 0], [6, 5, 1, 0, 2]])),
    (Translator, noise(5, 2, 3, seed=95)),
    (Twice, noise(5, 2, 4, seed=96)),
    (Packing, noise(3, 6, 3, seed=99)),
    (OwnLengths, noise(3, 6, 3, seed=99)),
]


def recorded_beside_autograd(kind: type[nn.Module], x: Tensor) -> tuple[Trace, nn.Module, Tensor]:
    torch.manual_seed(4)
    model = kind().double()
    trace = record(model, x, loss=squares)
    loss = squares(model(x))
    loss.backward()
    return trace, model, loss.detach()


@pytest.mark.parametrize(("kind", "x"), CASES, ids=[kind.__name__ for kind, _ in CASES])
def test_parameter_gradients_and_the_loss_are_those_of_plain_autograd(
    kind: type[nn.Module], x: Tensor
) -> None:
    trace, model, loss = recorded_beside_autograd(kind, x)
    assert trace.loss == pytest.approx(float(loss), rel=EXACT)
    assert set(trace.parameter_gradients) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert gap(trace.parameter_gradients[name], expected) <= EXACT, name
        assert gap(trace.parameters[name], parameter) == 0


def test_the_output_and_its_derivative_are_turned_to_time_first() -> None:
    trace, model, _ = recorded_beside_autograd(*CASES[0])
    output = model(CASES[0][1]).detach().transpose(0, 1)
    assert gap(trace.values("y"), output) <= EXACT
    assert gap(trace.values("dy"), 2 * output) <= EXACT
    assert [layer.path for layer in trace.layers] == ["rnn", "rnn"]
    assert trace.layers[1].parameters["backward"]["weight_hh"] == "rnn.weight_hh_l1_reverse"
    assert trace.layer_parameters(1, "backward")["weight_ih"].shape == (12, 8)


def test_several_modules_are_layers_in_the_order_of_their_calls() -> None:
    trace, _model, _ = recorded_beside_autograd(*CASES[1])
    assert [(layer.path, layer.cell) for layer in trace.layers] == [
        ("encoder", "lstm"),
        ("decoder", "lstm_peephole"),
    ]
    assert gap(trace.initial("c", 1), trace.values("c", 0)[-1]) <= EXACT
    assert gap(trace.initial("dh", 1), trace.values("dh", 0)[-1]) <= EXACT
    assert trace.initial("dc", 1).any()
    assert trace.parity is None


@pytest.mark.parametrize("encoded", [2, 5])
def test_runs_of_different_lengths_share_one_time(encoded: int, tmp_path: Path) -> None:
    """Past the end of the shorter run stand zeros, so that one cursor fits every layer."""

    class Unequal(Translator):
        def forward(self, x: Tensor) -> Any:
            _, state = self.encoder(x[:encoded])
            return self.decoder(x[: 7 - encoded], state)

    torch.manual_seed(4)
    model, x = Unequal().double(), noise(5, 2, 3, seed=94)
    trace = record(model, x, loss=squares)
    assert trace.steps == 5
    for layer, steps in ((0, encoded), (1, 7 - encoded)):
        for name in trace.quantities(layer):
            values = trace.values(name, layer)
            assert values.shape[:2] == (5, 2)
            assert name == "y" or name == "dy" or not values[steps:].any(), name
    assert gap(trace.values("h", 0)[:encoded], model.encoder(x[:encoded])[0]) <= EXACT
    assert gap(trace.values("y")[: 7 - encoded], model(x)[0]) <= EXACT
    trace.save(tmp_path / "t")
    found = load(tmp_path / "t")
    assert isinstance(found, Trace)
    assert found.values("dc", 0).tobytes() == trace.values("dc", 0).tobytes()


def test_a_module_called_twice_is_recorded_twice() -> None:
    trace, _model, _ = recorded_beside_autograd(*CASES[2])
    assert [layer.path for layer in trace.layers] == ["rnn", "rnn@2"]
    assert gap(trace.values("x", 1), trace.values("h", 0)) == 0
    # The h of the last timestep goes nowhere but into the second call.
    assert gap(trace.values("dx", 1)[-1], trace.values("dh", 0)[-1]) <= EXACT
    assert trace.parity is not None
    assert trace.parity <= EXACT


@pytest.mark.parametrize("case", CASES[3:], ids=["Packing", "OwnLengths"])
def test_lengths_a_model_gives_its_module_are_kept(case: tuple[type[nn.Module], Tensor]) -> None:
    trace, model, _ = recorded_beside_autograd(*case)
    output = model(case[1])
    output = output[0] if isinstance(output, tuple) else output
    assert trace.lengths.tolist() == LENGTHS.tolist()
    assert gap(trace.values("y"), output.detach().transpose(0, 1)) <= EXACT
    assert not trace.values("h")[2:, 0].any()


def test_gradients_of_a_frozen_module_called_twice_add_up() -> None:
    trace, model, _ = recorded_beside_autograd(*CASES[2])
    frozen = record(model.requires_grad_(False), CASES[2][1], loss=squares)
    for name, gradient in trace.parameter_gradients.items():
        assert gap(frozen.parameter_gradients[name], gradient) <= EXACT


def test_a_frozen_head_has_no_gradient_rather_than_a_wrong_one() -> None:
    model = Tagger().double()
    model.head.requires_grad_(False)
    gradients = record(model, CASES[0][1], loss=squares).parameter_gradients
    assert not [name for name in gradients if name.startswith("head")]
    assert gradients["rnn.weight_hh_l0"].any()


def test_parts_of_a_model_that_are_not_reached_have_derivatives_of_zero() -> None:
    model = nn.ModuleDict({"a": nn.GRU(3, 4), "b": nn.GRU(3, 4)}).double()
    x = noise(4, 1, 3, seed=97)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Tensor) -> Any:
            self.parts["b"](x)
            return self.parts["a"](x)[0]

    steps: list[tuple[int, int]] = []
    trace = record(Both(), x, loss=squares, progress=lambda *now: steps.append(now))
    paths = [layer.path for layer in trace.layers]
    assert not trace.values("dh", paths.index("parts.b")).any()
    assert not trace.parameter_gradients["parts.b.weight_hh_l0"].any()
    assert trace.values("dh", paths.index("parts.a")).any()
    assert steps[-1] == (16, 16)


def test_dropout_is_what_the_mode_and_the_seed_say() -> None:
    model = nn.LSTM(3, 4, num_layers=3, dropout=0.5).double()
    x = noise(5, 2, 3, seed=98)
    torch.manual_seed(8)
    first = record(model, x)
    torch.manual_seed(8)
    again = record(model, x)
    assert gap(first.values("x", 1), again.values("x", 1)) == 0
    dropped = first.values("x", 1) == 0
    assert 0 < dropped.mean() < 1
    kept = ~dropped
    assert gap(first.values("x", 1)[kept], 2 * first.values("h", 0)[kept]) <= EXACT
    assert (first.values("x", 0) != 0).all()
    assert first.parity is not None
    assert first.parity <= EXACT
    assert not (record(model.eval(), x).values("x", 1) == 0).any()
    assert record(model.eval(), x).parity is not None
