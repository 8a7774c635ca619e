"""`lstmtui.watch`: nothing on disk and training as without it, until something goes wrong."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.session import Session
from lstmtui.trace import Trace, Traces
from lstmtui.trace.growth import Growth
from lstmtui.view import Cursor

NEVER = "norm(dh) < -1"


class Tagger(nn.Module):
    """An embedding, two layers with dropout, and a loop over a cell whose weights are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.encoder = nn.ModuleDict({"rnn": nn.LSTM(4, 5, 2, dropout=0.3, batch_first=True)})
        self.cell = spectral_norm(nn.GRUCell(5, 3), "weight_hh")
        self.head = nn.Linear(3, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs, (h, _) = self.encoder["rnn"](self.embedding(tokens))
        state = h[-1][:, :3]
        for t in range(outputs.shape[1]):
            state = self.cell(outputs[:, t], state)
        result: Tensor = self.head(state)
        return result


def train(
    model: nn.Module, steps: int, spoil: Callable[[int, nn.Module], None] | None = None
) -> list[Tensor]:
    """Losses of a short training, in which `spoil` may do something before each step."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for step in range(steps):
        tokens = torch.randint(7, (3, 6))
        if spoil is not None:
            spoil(step, model)
        optimizer.zero_grad()
        loss = model(tokens).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


def tagger() -> Tagger:
    torch.manual_seed(0)
    return Tagger()


def spoil_at(number: int) -> Callable[[int, nn.Module], None]:
    """A weight of the second layer becomes NaN before this step."""

    def spoil(step: int, model: nn.Module) -> None:
        if step == number:
            with torch.no_grad():
                dict(model.named_parameters())["encoder.rnn.weight_hh_l1"][8, 2] = float("nan")

    return spoil


def written(path: Path) -> Traces:
    found = lstmtui.load(path)
    assert isinstance(found, Traces)
    return found


@pytest.mark.parametrize("when", [None, NEVER, "norm(h) < -1"])
def test_training_is_the_same_to_the_bit_and_nothing_is_written(tmp_path: Path, when: str | None) -> None:
    bare, watched = tagger(), tagger()
    expected = train(bare, 6)
    with lstmtui.watch(watched, when=when, path=tmp_path / "w") as watch:
        losses = train(watched, 6)
    assert torch.equal(torch.stack(losses), torch.stack(expected))
    for (name, value), now in zip(bare.state_dict().items(), watched.state_dict().values(), strict=True):
        assert torch.equal(value, now), name
    assert watch.written == []
    assert list(tmp_path.iterdir()) == []
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in watched.modules())


def test_the_step_with_the_first_bad_value_is_written_with_those_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tagger()
    with lstmtui.watch(model, when="any(isnan(h))", keep=3, path=tmp_path / "w") as watch:
        losses = train(model, 9, spoil_at(5))
    traces = written(tmp_path / "w")
    assert list(traces) == ["step 3", "step 4", "step 5"]
    last = traces["step 5"]
    assert [layer.path for layer in last.layers] == ["encoder.rnn", "encoder.rnn", "cell"]
    assert not np.isnan(last.values("h", 0)).any()
    # Row 8 makes f of unit 3, which first meets a state at t=0 and spoils every unit at t=1.
    assert np.isnan(last.values("h", 1)[0]).all(axis=0).tolist() == [False, False, False, True, False]
    assert np.isnan(last.values("h", 1)[1:]).all()
    assert not any(np.isnan(traces[f"step {n}"].values("h", 1)).any() for n in (3, 4))
    assert watch.written == ["any(isnan(h)) at t=0, layer 1 forward, batch 0 of step 5"]
    assert Session(traces).cursor == Cursor("step 5", t=0, layer=1)
    assert "step 5; written to" in capsys.readouterr().err
    assert last.header.script.splitlines()[-1] == "goto 0"
    assert (last.header.loss_text, str(last.loss)) == ("the loss of the training loop", "nan")
    assert traces["step 4"].loss == losses[4].item()
    assert first_bad_of(traces["step 4"]) is None


@pytest.mark.parametrize("after_backward", [False, True])
def test_an_exception_is_passed_on_and_leaves_the_last_steps(tmp_path: Path, after_backward: bool) -> None:
    model, error = tagger(), ValueError("mine")

    def loop() -> None:
        with lstmtui.watch(model, keep=2, path=tmp_path / "w"):
            train(model, 3)
            loss = model(torch.zeros(1, 4, dtype=torch.int64)).sum()
            if after_backward:
                loss.backward()
            raise error

    with pytest.raises(ValueError, match=r"^mine$") as caught:
        loop()
    assert caught.value is error
    traces = written(tmp_path / "w")
    assert list(traces) == ["step 2", "step 3"]
    assert ("dh" in traces["step 3"].quantities()) == after_backward
    if not after_backward:
        with pytest.raises(lstmtui.UserError, match="no gradient came back to this call"):
            traces["step 3"].values("dh")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_loop_that_is_stopped_has_not_failed(tmp_path: Path, kind: type[BaseException]) -> None:
    model = tagger()

    def loop() -> None:
        with lstmtui.watch(model, path=tmp_path / "w"):
            train(model, 2)
            raise kind

    with pytest.raises(kind):
        loop()
    assert list(tmp_path.iterdir()) == []


def test_a_condition_is_judged_by_the_gradients_of_all_backward_passes(tmp_path: Path) -> None:
    layer = nn.RNN(1, 1)
    with lstmtui.watch(layer, when="abs(dh[0]) > 2.5", path=tmp_path / "w") as watch:
        outputs = [layer(torch.ones(1, 1, 1))[0] for _ in range(2)]
        outputs[0].sum().backward(retain_graph=True)
        (outputs[0] + outputs[1]).sum().mul(2).backward()
    assert [sentence.split(" of ")[1] for sentence in watch.written] == ["step 0"]
    assert written(tmp_path / "w")["step 0"].values("dh").item() == 3


def run_through(model: nn.Module, values: list[float], **options: Any) -> list[str]:
    """What is written while an identity passes on these values of h."""
    with lstmtui.watch(model, **options) as watch, torch.no_grad():
        for value in values:
            model(torch.full((2, 1, 1), float(value)))
    return [sentence.split(" of ")[1] for sentence in watch.written]


def passing_on() -> nn.RNN:
    model = nn.RNN(1, 1, nonlinearity="relu")
    for name, parameter in model.named_parameters():
        nn.init.constant_(parameter, float(name == "weight_ih_l0"))
    return model


def test_a_condition_that_goes_on_holding_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "w"
    values = [1.0, 9, 9, 9, 1, 9, 1, 9, 9]
    assert run_through(passing_on(), values, when="h[0] > 5", keep=1, path=path) == [
        "step 1",
        "step 5",
        "step 7",
    ]
    assert list(written(path)) == ["step 1", "step 5", "step 7"]
    assert run_through(passing_on(), values, when="h[0] > 5", keep=1, path=path, limit=1) == ["step 1"]
    assert list(written(path)) == ["step 1"]
    assert run_through(passing_on(), values, when="h[0] > 5", keep=1, path=path, every=4) == ["step 8"]


@pytest.mark.parametrize("when", ["h_pre[0] > 5", "prev(h[0]) > 5 and t == 1"])
def test_values_that_the_layer_hides_and_timesteps_before_are_judged_too(tmp_path: Path, when: str) -> None:
    assert run_through(passing_on(), [1.0, 9, 1], when=when, path=tmp_path / "w") == ["step 1"]


def test_a_session_starts_where_the_condition_held(tmp_path: Path) -> None:
    model, x = nn.GRU(1, 2, bidirectional=True), torch.zeros(6, 3, 1)
    with lstmtui.watch(model, when="any(isnan(n_pre)) and t > 2", path=tmp_path / "w"), torch.no_grad():
        model(x)
        x[4, 1] = float("nan")
        model(x)
    traces = written(tmp_path / "w")
    cursor = Session(traces).cursor
    assert cursor == Cursor("step 1", t=3, direction="backward", batch=1)
    place = traces["step 1"].values("n_pre", 0, "backward")[:, :, 0]
    assert np.isnan(place[cursor.t, cursor.batch])
    far = replace(traces["step 1"].header, script="goto 99\nlayer 7\ndirection up\nbatch -2\ngoto\nsave x")
    assert Session(Trace(far, traces["step 1"].arrays)).cursor == Cursor("step 1", t=5)


def test_a_follower_sees_what_is_added(tmp_path: Path) -> None:
    growth, seen = Growth(tmp_path / "w"), []
    model = passing_on()
    with lstmtui.watch(model, when="h[0] > 5", keep=1, path=tmp_path / "w"), torch.no_grad():
        for value in (1.0, 9, 1, 9, 1):
            model(torch.full((2, 1, 1), float(value)))
            found = growth.poll()
            if found is not None:
                assert isinstance(found, Traces)
                seen.append(list(found))
    assert seen == [["step 1"], ["step 1", "step 3"]]


def held(model: nn.Module, steps: int, keep: int) -> int:
    """Bytes the watch holds after so many steps."""
    with lstmtui.watch(model, when=None, keep=keep) as watch:
        train(model, steps)
        tensors: list[Tensor] = []
        for step in watch._watched.steps:
            tensors += [value for weights in step.weights.values() for value in weights.values()]
            for call in step.calls:
                tensors += [*call.results, *call.derivatives.values(), call.arguments[0]]
        return sum(tensor.nbytes for tensor in tensors)


def test_memory_does_not_grow_with_the_steps() -> None:
    assert held(tagger(), 3, 2) == held(tagger(), 12, 2) == 2 * held(tagger(), 3, 1)


def test_the_graph_of_a_step_is_not_kept() -> None:
    layer = nn.LSTM(2, 3)
    with lstmtui.watch(layer):
        output, _ = layer(torch.ones(4, 1, 2))
        alive = weakref.ref(output)
        output.sum().backward()
        del output
        assert alive() is None


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("norm(dh) >", r"when: a value is missing at the end\n  norm\(dh\) >\n {12}\^"),
        ("norm(foo) > 1", r"when: foo is neither a quantity nor a function\n  norm\(foo\) > 1\n       \^"),
        ("dh", "write any"),
        (
            "norm(r) > 1",
            r"r is not there; the selected layer has x, f, i, g, c, o, h\n  norm\(r\) > 1\n {7}\^",
        ),
        ("loss > 3", "loss is not known here"),
        ("\x1b[2J", r"^[^\x1b]*$"),
    ],
)
def test_a_condition_that_means_nothing_is_told_before_the_loop(when: str, message: str) -> None:
    with pytest.raises(lstmtui.UserError, match=message):
        lstmtui.watch(nn.LSTM(2, 3), when=when)


def test_what_cannot_be_watched_or_written_is_told_before_the_loop(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Linear holds no LSTM, GRU, RNN"):
        lstmtui.watch(nn.Linear(2, 3))
    for name in ("keep", "every", "limit"):
        with pytest.raises(ValueError, match=f"{name}: must be a whole number of at least 1, is 0"):
            lstmtui.watch(nn.LSTM(2, 3), **{name: 0})  # type: ignore[arg-type]
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(lstmtui.UserError, match="exists and is not a trace; choose another path"):
        lstmtui.watch(nn.LSTM(2, 3), path=tmp_path)


def test_a_watch_that_cannot_write_says_so_once_and_lets_the_training_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, place = passing_on(), tmp_path / "file"
    watch = lstmtui.watch(model, when="h[0] > 5", path=place / "below")
    place.write_text("in the way")
    assert outputs(watch, model, [1.0, 9, 1, 9, 1]) == [1, 9, 1, 9, 1]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lstmtui.watch: cannot go on: ")
    assert "cannot write the trace" in line
    assert watch.written == []


def outputs(watch: Any, model: nn.Module, values: list[float]) -> list[float]:
    with watch, torch.no_grad():
        return [float(model(torch.full((2, 1, 1), float(value)))[0].max()) for value in values]


def test_the_model_of_a_written_step_is_named(tmp_path: Path) -> None:
    run_through(passing_on(), [9.0, 9], when="h[0] > 5", path=tmp_path / "w")
    trace = written(tmp_path / "w")["step 0"]
    assert isinstance(trace, Trace)
    assert trace.header.module == "torch.RNN"
    assert trace.header.notes == "h[0] > 5 at t=0, layer 0 forward, batch 0 of step 0."


def test_a_compiled_model_is_watched_where_its_layers_run(tmp_path: Path) -> None:
    model = tagger()
    compiled: Any = torch.compile(model, backend="eager")
    compiled(torch.zeros(1, 2, dtype=torch.int64)).sum().backward()
    with lstmtui.watch(compiled, when="len(dh) > 0", keep=1, path=tmp_path / "w") as watch:
        for _ in range(2):
            compiled(torch.zeros(1, 2, dtype=torch.int64)).sum().backward()
    assert [sentence.split(" of ")[1] for sentence in watch.written] == ["step 0"]
