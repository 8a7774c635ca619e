"""Models as users write them, recorded by source, against the same loops with `retain_grad`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.statements import statement_at
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.trace.source import Source

T, B, H = 6, 3, 4


class Kept:
    """What a loop bound, kept by hand: the tensors of each name, whose derivatives are looked at later."""

    def __init__(self) -> None:
        self.tensors: dict[str, list[Tensor]] = defaultdict(list)

    def __call__(self, **named: Tensor) -> None:
        for name, tensor in named.items():
            if tensor.requires_grad:
                tensor.retain_grad()
            self.tensors[name].append(tensor)

    def values(self, name: str) -> Any:
        return np.stack([t.detach().numpy() for t in self.tensors[name]]).reshape(T, B, -1)

    def derivatives(self, name: str) -> Any:
        return np.stack(
            [np.zeros(t.shape, np.float32) if t.grad is None else t.grad.numpy() for t in self.tensors[name]]
        ).reshape(T, B, -1)


def source_of(trace: Trace, layer: int = 0) -> Source:
    source = trace.layers[layer].source
    assert source is not None
    return source


def same(trace: Trace, layer: int, kept: Kept, *names: str) -> None:
    """Every one of these names has the values and the derivatives that were kept, to the bit."""
    for name in names:
        assert np.array_equal(trace.values(name, layer), kept.values(name)), name
        assert np.array_equal(trace.values("d" + name, layer), kept.derivatives(name)), "d" + name


def inputs() -> Tensor:
    return torch.randn(T, B, 2, requires_grad=True)


def norm(v: Tensor) -> Tensor:
    mean = v.mean(1, keepdim=True)
    return (v - mean) / ((v - mean).square().mean(1, keepdim=True) + 1e-5).sqrt()


class LayerNormCell(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(4 * hidden, inputs) * 0.2)
        self.weight_hh = nn.Parameter(torch.randn(4 * hidden, hidden) * 0.2)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c_prev = state
        a = norm(F.linear(x, self.weight_ih)) + norm(F.linear(h, self.weight_hh))
        i, f, g, o = a.chunk(4, 1)
        c = f.sigmoid() * c_prev + i.sigmoid() * g.tanh()
        return o.sigmoid() * norm(c).tanh(), c


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = LayerNormCell(2, H)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], H)
        out = []
        for v in x:
            h, c = self.cell(v, (h, c))
            out.append(h)
        return torch.stack(out)


def test_a_layernorm_cell_has_its_names_its_helpers_and_its_states() -> None:
    torch.manual_seed(0)
    model, x, kept = Tagger(), torch.randn(T, B, 2), Kept()
    h = c = torch.zeros(B, H)
    for v in x:
        a = norm(F.linear(v, model.cell.weight_ih)) + norm(F.linear(h, model.cell.weight_hh))
        i, f, g, o = a.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * norm(c).tanh()
        kept(a=a, i=i, f=f, g=g, o=o, c=c, h=h)
    torch.stack(kept.tensors["h"]).square().sum().backward()
    grads = [p.grad for p in model.parameters()]
    model.zero_grad()

    trace = lstmtui.record(model, x, loss=lambda y: y.square().sum())
    assert [(layer.path, layer.cell, layer.calls) for layer in trace.layers] == [
        ("", "Tagger", 1),
        ("cell", "LayerNormCell", T),
    ]
    same(trace, 0, kept, "h", "c")
    same(trace, 1, kept, "a", "i", "f", "g", "o", "c")
    cell = source_of(trace, 1)
    assert cell.variable("c").carried_to == ("c_prev",)  # type: ignore[union-attr]
    assert [function.name for function in cell.functions] == ["LayerNormCell.forward", "norm"]
    assert "c = f.sigmoid() * c_prev" in cell.functions[0].text
    # norm is called twice at one line, of the gates, and at another, of the state.
    assert trace.arrays["1/forward/inner/norm_mean_1"].shape == (T, 2, B, 1)
    assert cell.variable("norm_mean").inner_steps == 0  # type: ignore[union-attr]
    assert {stage.depth for stage in cell.stages if stage.variable.startswith("norm_mean")} == {1}
    for name, gradient in zip(("weight_ih", "weight_hh"), grads, strict=True):
        assert gradient is not None
        assert np.array_equal(trace.parameter_gradients["cell." + name], gradient.numpy())
    assert all(p.grad is None for p in model.parameters())
    assert np.array_equal(trace.values("y"), trace.values("h"))
    assert np.array_equal(trace.values("dy"), 2 * trace.values("y"))


def test_a_derivative_that_was_not_computed_is_told_from_one_that_is_0() -> None:
    class Gated(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            h = x.new_zeros(x.shape[1], 1)
            for v in x:
                h_prev = h
                unused = 3 * v
                count = (v > 0).sum(1)
                h = 0.5 * h_prev + v
            return h, unused, count

    x = torch.randn(T, B, 1, requires_grad=True)
    trace = lstmtui.record(Gated(), x)
    source = source_of(trace)
    assert source.variable("count").absent == "integer"  # type: ignore[union-attr]
    assert trace.values("count").dtype == np.int64
    assert not trace.values("dunused").any()
    assert trace.arrays["0/forward/bound/dh_prev"].tolist() == [False, *[True] * (T - 1)]
    assert np.allclose(trace.values("dh")[:, 0, 0], 0.5 ** np.arange(T - 1, -1, -1))
    assert x.grad is None


class Decoder(nn.Module):
    """An encoder of PyTorch's, and a decoder with attention and fewer timesteps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(2, H, batch_first=True)
        self.cell = nn.GRUCell(H, H)
        self.query = nn.Linear(H, H)

    def forward(self, x: Tensor, steps: int = 4) -> Tensor:
        memory, last = self.encoder(x)
        hidden, outputs = last[0], []
        for _ in range(steps):
            query = self.query(hidden)
            weights = torch.einsum("bh,bsh->bs", query, memory).softmax(-1)
            context = torch.einsum("bs,bsh->bh", weights, memory)
            hidden = self.cell(context, hidden)
            outputs.append(hidden)
        return torch.stack(outputs, 1)


def test_an_attention_decoder_is_recorded_beside_the_layers_of_pytorch() -> None:
    torch.manual_seed(0)
    model, x = Decoder(), torch.randn(B, T, 2)
    alone = lstmtui.record(model, x)
    assert [layer.source for layer in alone.layers] == [None, None], "source= left out is as ever"
    trace = lstmtui.record(model, x, source=True)
    assert [layer.path for layer in trace.layers] == ["encoder", "cell", ""]
    assert trace.steps == T
    assert trace.arrays["2/lengths"].tolist() == [4] * B
    assert trace.loss == alone.loss
    assert np.array_equal(trace.values("h", 1), alone.values("h", 1))
    assert np.array_equal(trace.values("hidden", 2), trace.values("h", 1))
    assert np.allclose(trace.values("dhidden", 2), trace.values("dh", 1), rtol=1e-5, atol=1e-7)
    weights = trace.values("weights", 2)[:4]
    assert np.allclose(weights.sum(-1), 1, atol=1e-6)
    assert source_of(trace, 2).variable("weights").in_unit_interval  # type: ignore[union-attr]
    assert {c.name for c in source_of(trace, 2).constants} == {"x", "memory", "last"}


def test_a_rollout_with_resets_has_its_masks_beside_the_cell() -> None:
    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTMCell(2, H)

        def forward(self, features: Tensor, starts: Tensor) -> Tensor:
            h = c = features.new_zeros(features.shape[1], H)
            hs = []
            for feature, start in zip(features, starts, strict=True):
                keep = (1.0 - start)[:, None]
                h, c = keep * h, keep * c
                h, c = self.lstm(feature, (h, c))
                hs.append(h)
            return torch.stack(hs)

    torch.manual_seed(0)
    model, x = Policy(), torch.randn(T, B, 2)
    starts = torch.zeros(T, B)
    starts[3, 1] = 1
    trace = lstmtui.record(model, (x, starts), loss=lambda y: y.square().sum(), source=True)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("lstm", T), ("", 1)]
    assert np.array_equal(trace.values("keep", 1)[..., 0], 1 - starts.numpy())
    assert not trace.values("c_1", 1)[3, 1].any()
    assert np.array_equal(trace.values("c", 1), trace.values("c", 0))
    assert np.array_equal(trace.values("h_1", 1)[4], trace.values("h", 1)[3]), "kept as it was"


def test_a_matrix_state_is_units_with_a_shape_of_their_own() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(8, 24)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x).view(B, T, 3, 2, 4).unbind(2)
            S = x.new_zeros(B, 2, 4, 4)
            out = []
            for t in range(T):
                S = 0.9 * S + k[:, t, :, :, None] * v[:, t, :, None, :]
                out.append(torch.einsum("bhkv,bhk->bhv", S, q[:, t]))
            return torch.stack(out, 1)

    trace = lstmtui.record(Linear(), torch.randn(B, T, 8))
    state = source_of(trace).variable("S")
    assert state is not None
    assert (state.shape, state.size, state.carried_to) == ((2, 4, 4), 32, ("S",))
    assert trace.values("S").shape == (T, B, 32)
    # What is made for all of time before the loop is over time too, its axes in whatever order.
    assert source_of(trace).variable("k").shape == (2, 4)  # type: ignore[union-attr]
    outer = trace.values("k")[0].reshape(B, 2, 4, 1) * trace.values("v")[0].reshape(B, 2, 1, 4)
    assert np.array_equal(trace.values("S")[0].reshape(B, 2, 4, 4), outer)
    assert trace.values("y").shape == (T, B, 8)
    assert not trace.initial("S").any()


def test_a_name_that_a_condition_binds_says_where_it_did_not() -> None:
    class Skips(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 2)
            for t, v in enumerate(x):
                h = torch.tanh(h + v)
                if t % 2:
                    jump = 2 * h
                    h = h + jump
            return h

    x = inputs()
    trace = lstmtui.record(Skips(), x)
    jumps = [False, True] * (T // 2)
    assert trace.arrays["0/forward/bound/jump"].tolist() == jumps
    assert not trace.values("jump")[0].any()
    # The plain name is what h is in the end of each timestep; h_1 what the first line makes of it.
    assert np.array_equal(trace.values("h")[0], trace.values("h_1")[0])
    assert np.array_equal(trace.values("h")[1], 3 * trace.values("h_1")[1])


def test_sequences_that_end_early_are_shorter() -> None:
    class Packed(nn.Module):
        def forward(self, packed: nn.utils.rnn.PackedSequence) -> Tensor:
            h, start = packed.data.new_zeros(B, 2), 0
            for count in packed.batch_sizes.tolist():
                v = packed.data[start : start + count]
                h = torch.tanh(h[:count] + v)
                start += count
            return h

    sequences = [torch.randn(n, 2, requires_grad=True) for n in (T, 4, 1)]
    trace = lstmtui.record(Packed(), nn.utils.rnn.pack_sequence(sequences))
    assert trace.lengths.tolist() == [T, 4, 1]
    for batch, sequence in enumerate(sequences):
        assert np.array_equal(trace.values("v")[: len(sequence), batch], sequence.detach().numpy())
        assert not trace.values("h")[len(sequence) :, batch].any()


def test_a_shape_that_changes_is_said_and_nothing_else_is_lost() -> None:
    class Grows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            cache = x.new_zeros(x.shape[1], 0)
            for v in x:
                cache = torch.cat([cache, v], 1)
                total = cache.sum(1, keepdim=True)
            return total

    source = source_of(lstmtui.record(Grows(), inputs()))
    assert [v.name for v in source.variables] == ["x", "v", "total"]
    assert [(u.name, u.why) for u in source.unrecorded] == [
        ("cache", "its shape changes from (3, 2) to (3, 4)")
    ]


def test_loops_beside_each_other_are_runs_of_their_own() -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            forward = backward = x.new_zeros(x.shape[1], 2)
            for v in x:
                forward = torch.tanh(forward + v)
            for v in x.flip(0):
                backward = torch.tanh(backward - v)
            return forward + backward

    trace = lstmtui.record(Both(), inputs())
    assert [layer.path for layer in trace.layers] == ["", "@2"]
    assert source_of(trace, 0).states == ("forward",)
    assert source_of(trace, 1).states == ("backward",)
    # Rounds are in the order in which they ran.
    assert np.array_equal(trace.values("v", 1), trace.values("x", 0)[::-1])
    assert not trace.initial("backward", 1).any()


def test_attributes_recursion_and_generators_are_names_like_any_other() -> None:
    class Streams(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden: Tensor | None = None

        def step(self, v: Tensor) -> Tensor:
            self.hidden = torch.tanh(v + self.hidden)
            return self.hidden

        def steps(self, x: Tensor) -> Any:
            for v in x:
                yield self.step(v)

        def forward(self, x: Tensor) -> Tensor:
            self.hidden = torch.zeros(x.shape[1], 2)
            return torch.stack(list(self.steps(x)))

    class Tree(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            state = x.new_zeros(B, 2)
            if len(x):
                state = torch.tanh(x[-1] + self(x[:-1]))
            return state

    x = inputs()
    model = Streams()
    trace = lstmtui.record(model, x)
    assert np.array_equal(trace.values("hidden"), trace.values("y"))
    assert model.hidden is None, "the model is left as it was"
    tree = lstmtui.record(Tree(), x)
    assert (tree.steps, tree.layers[0].calls) == (T + 1, T + 1)
    # The outermost call, which begins first, has its state last.
    assert np.array_equal(tree.values("state"), np.concatenate([np.zeros((1, B, 2)), _scan(x)]))


def _scan(x: Tensor) -> Any:
    states, h = [], torch.zeros(B, 2)
    for v in x.detach():
        h = torch.tanh(v + h)
        states.append(h.numpy())
    return np.stack(states)


def test_an_unbatched_model_has_one_sequence() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.zeros(2)
            for v in x:
                h = torch.tanh(self.w(torch.cat([v, h])))
            return h

    trace = lstmtui.record(One(), torch.randn(T, 2))
    assert (trace.batch, trace.values("h").shape) == (1, (T, 1, 2))


def test_what_is_cut_out_of_the_graph_has_no_derivative_rather_than_0() -> None:
    class Truncated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 2)
            for t, v in enumerate(x):
                if t == 3:
                    h = h.detach()
                h = torch.tanh(h + v)
            return h

    trace = lstmtui.record(Truncated(), inputs())
    assert trace.arrays["0/forward/bound/dh"].tolist() == [False] * 3 + [True] * 3
    assert trace.values("dh")[3:].all()


def test_one_timestep_or_as_many_sequences_as_units_and_timesteps_are_told_apart() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 4)
            for v in x:
                h = torch.tanh(self.w(torch.cat([v, h], 1)))
            return h

    one = lstmtui.record(Plain(), torch.randn(1, B, 4))
    assert (one.steps, one.batch, one.values("v").shape) == (1, B, (1, B, 4))
    for said in ({}, {"time_axis": 0}):
        cube = lstmtui.record(Plain(), torch.randn(4, 4, 4), **said)
        assert cube.values("h").shape == (4, 4, 4)
        assert np.array_equal(cube.values("x"), cube.values("v"))


def test_of_two_axes_as_long_as_the_run_it_is_said_that_they_cannot_be_told_apart() -> None:
    class Mixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 3)
            z = x.cumsum(1)
            for t in range(len(x)):
                h = torch.tanh(h + x.select(0, t) + z.select(1, t))
            return h

    cube = lstmtui.record(Mixed(), torch.randn(4, 4, 3, requires_grad=True))
    why = "its axes 0 and 1 are both 4 long, as the run is: say time_axis="
    assert {(u.name, u.why) for u in source_of(cube).unrecorded} == {("x", why), ("z", why)}


class DictOfStates(nn.Module):
    """Its states are items of a dict, as many rollouts keep them."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Linear(2 + H, H)

    def forward(self, x: Tensor, keep: Kept | None = None, hold: bool = False) -> Tensor:
        state = {"h": x.new_zeros(B, H), "c": x.new_zeros(B, H)}
        for t in range(x.shape[0]):
            g = self.w(torch.cat([x[t], state["h"]], -1))
            state["c"] = 0.9 * state["c"] + g.tanh()
            if hold and t == 2:
                state["c"] = state["c"] * torch.tensor([[1.0], [0.0], [1.0]])
            state["h"] = state["c"].sigmoid()
            if keep is not None:
                keep(g=g, state_c=state["c"], state_h=state["h"])
        return state["h"]


def test_items_of_a_dict_are_names_that_are_carried_on_and_can_be_set() -> None:
    model, kept, x = DictOfStates(), Kept(), torch.randn(T, B, 2)
    model(x, kept).square().sum().backward()
    model.zero_grad()
    trace = lstmtui.record(model, x, loss=lambda y: y.square().sum())
    same(trace, 0, kept, "g", "state_c", "state_h")
    source = source_of(trace)
    assert source.states == ("state_c", "state_h")
    assert [v.written for v in source.variables if v.carried_to] == ["state['c']", "state['h']"]
    edit = Edit(1, "m", 0, "forward", 1, "state_c", None, 0.0, 2, 2)
    changed = rerun_source(trace, [edit])
    assert changed.loss == float(model(x, hold=True).square().sum().detach())


def test_an_item_of_a_dict_is_read_by_the_line_that_reads_it() -> None:
    source = source_of(lstmtui.record(DictOfStates(), torch.randn(T, B, 2)))
    h = source.variable("state_h")
    assert h is not None
    assert statement_at(source.functions[0], h.line).names == ("state", "state['c']")


def test_a_loop_that_fills_a_tensor_has_as_many_timesteps_as_passes_and_the_tensor_is_over_time() -> None:
    class Fills(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Linear(2 + H, H)

        def forward(self, x: Tensor) -> Tensor:
            out, h = x.new_zeros(T, B, H), x.new_zeros(B, H)
            for t in range(T):
                h = self.w(torch.cat([x[t], h], -1)).tanh()
                out[t] = h
            return out

    trace = lstmtui.record(Fills(), torch.randn(T, B, 2), loss=lambda y: y.square().sum())
    source = source_of(trace)
    assert (trace.steps, source.states) == (T, ("h",))
    assert {v.name for v in source.variables} >= {"x", "h", "out"}
    assert np.array_equal(trace.values("out"), trace.values("h"))
    np.testing.assert_allclose(trace.values("dout"), 2 * trace.values("out"), rtol=1e-6)


def test_a_state_that_is_kept_in_a_dict_is_carried() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.state: dict[str, Tensor] = {}

        def forward(self, x: Tensor) -> Tensor:
            self.state["h"] = x.new_zeros(x.shape[1], 2)
            for v in x:
                self.state["h"] = torch.tanh(v + self.state["h"])
            return self.state["h"]

    class Cell(nn.Module):
        def forward(self, v: Tensor, state: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"h": torch.tanh(v + state["h"])}

    class Hands(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = Cell()

        def forward(self, x: Tensor) -> Tensor:
            state = {"h": x.new_zeros(x.shape[1], 2)}
            for v in x:
                state = self.cell(v, state)
            return state["h"]

    x = inputs().requires_grad_()
    expected, h = [], torch.zeros(B, 2)
    for v in x:
        h = torch.tanh(v + h)
        h.retain_grad()
        expected.append(h)
    h.sum().backward()
    for model in (Keeps(), Hands()):
        trace = lstmtui.record(model, x)
        assert source_of(trace, 0).states == ("state_h",)
        values = trace.values("state_h", 0)
        assert np.array_equal(values, torch.stack(expected).detach().numpy())
        derivatives = torch.stack([own.grad for own in expected if own.grad is not None])
        assert np.array_equal(trace.values("dstate_h", 0), derivatives.numpy())


def test_names_that_hold_no_numbers_are_left_out_and_the_trace_opens(tmp_path: Path) -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 2)
            none = h[:, :0]
            for v in x:
                rest = v[:, 2:]
                h = torch.tanh(h + v) + rest.sum() + none.sum()
            return h

    lstmtui.record(Empty(), inputs(), path=tmp_path / "empty")
    trace = lstmtui.load(tmp_path / "empty")
    assert [own.name for own in source_of(trace, 0).unrecorded if "no numbers" in own.why] == ["none", "rest"]
    assert "h" in [variable.name for variable in source_of(trace, 0).variables]


def test_a_loop_that_binds_no_name_but_fills_a_tensor_is_over_time() -> None:
    class Euler(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            states = torch.empty(T, B, H)
            states[0] = x[0]
            for t in range(1, T):
                states[t] = torch.tanh(states[t - 1] + x[t])
            return states

    x = torch.randn(T, B, H, requires_grad=True)
    trace = lstmtui.record(Euler(), x, loss=lambda y: y.square().sum())
    source = source_of(trace)
    # What states was before all of it was filled is memory as it happened to be, and no value.
    assert (trace.steps, [v.name for v in source.variables], source.constants) == (T, ["x", "states"], ())
    assert np.array_equal(trace.values("states"), Euler()(x).detach().numpy())


def test_a_tensor_that_a_loop_fills_and_reads_has_no_derivative_in_place_of_that_by_all_of_it() -> None:
    class Euler(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            states = torch.zeros(T, B, H)
            states[0] = x[0]
            for t in range(1, T):
                states[t] = torch.tanh(states[t - 1] + x[t])
            return states[-1]

    trace = lstmtui.record(Euler(), torch.randn(T, B, H, requires_grad=True), loss=lambda y: y.square().sum())
    (states,) = (v for v in source_of(trace).variables if v.name == "states")
    assert states.absent.startswith("its places are read while others are written")
    assert "0/forward/dstates" not in trace.arrays


def test_a_state_that_goes_on_in_a_wider_dtype_keeps_all_of_its_digits() -> None:
    class Widens(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = torch.zeros(B, H)
            for v in x:
                before = h
                h = torch.tanh(v + before)
            return h

    x = torch.randn(T, B, H, dtype=torch.float64, requires_grad=True)
    trace = lstmtui.record(Widens(), x, loss=torch.sum)
    before = next(v for v in source_of(trace).variables if v.name == "before")
    assert (before.dtype, trace.values("before").dtype) == ("float64", np.float64)
    assert np.array_equal(trace.values("before")[1:], trace.values("h")[:-1])


def test_memory_that_is_not_filled_yet_is_no_value_and_no_obstacle_to_a_what_if() -> None:
    class Reservoir(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            states, h = x.new_empty(T, B, H), x.new_zeros(B, H)
            for t in range(T):
                room = torch.Tensor(B, H)
                room = 0.5 * h
                h = torch.tanh(room + x[t])
                states[t] = h
            return states

    trace = lstmtui.record(Reservoir(), torch.randn(T, B, H, requires_grad=True))
    assert [v.name for v in source_of(trace).variables] == ["x", "room", "h", "states"]
    changed = rerun_source(trace, [Edit(1, "m", 0, "forward", 0, "h", 0, 0.5, 2, 2)])
    assert changed.values("states")[2, 0, 0] == 0.5


def test_a_module_that_another_calls_in_its_loop_may_have_been_called_before_that_one() -> None:
    class Rate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.w = nn.Linear(H, H)

        def forward(self, h: Tensor) -> Tensor:
            slope = torch.tanh(self.w(h))
            return slope  # noqa: RET504

    class Solver(nn.Module):
        def __init__(self, rate: Rate) -> None:
            super().__init__()
            self.rate = rate

        def forward(self, x: Tensor) -> Tensor:
            h = torch.zeros_like(x[0])
            for v in x:
                h = h + self.rate(h) + v
            return h

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rate = Rate()
            self.solver = Solver(self.rate)

        def forward(self, x: Tensor) -> Tensor:
            first = self.rate(x[0])
            return self.solver(x) + first  # type: ignore[no-any-return]

    model, x = Both(), torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    steps = {layer.path: (n, layer.calls) for n, layer in enumerate(trace.layers)}
    assert trace.batch == B
    h = trace.values("h", steps["solver"][0])[:T]
    assert torch.equal(torch.tensor(h[-1]), model.solver(x).detach())
    slope = trace.values("slope", steps["rate"][0])
    assert (trace.steps, steps["rate"][1]) == (T, T)
    assert np.array_equal(slope[0], model.rate(torch.zeros(B, H)).detach().numpy())
    assert np.array_equal(slope[2], model.rate(torch.tensor(h[1])).detach().numpy())
