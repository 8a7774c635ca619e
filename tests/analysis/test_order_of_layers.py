"""The first NaN or inf of several layers: the one that was computed first, in the order in which code ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.trace import Trace

T, B, H = 5, 2, 3


class Exchange(nn.Module):
    """Two cells, each of which reads what the other had before."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = nn.LSTMCell(H, H), nn.GRUCell(H, H)

    def forward(self, x: Tensor) -> Tensor:
        slow = cell = fast = x.new_zeros(B, H)
        for t in range(T):
            fast = self.fast(x[t] + slow, fast)
            if t != 2:
                slow, cell = self.slow(fast, (slow, cell))
        return fast + slow


class Decoder(nn.Module):
    """An encoder that reads everything first, then a decoder of two parts that reads what it has made."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(H, H, num_layers=2, bidirectional=True)
        self.attend, self.write = nn.GRUCell(3 * H, H), nn.LSTM(H, H, num_layers=2)

    def forward(self, x: Tensor) -> Tensor:
        kept, _ = self.encoder(x)
        h, read, state, out = x.new_zeros(B, H), x.new_zeros(B, H), None, []
        for _ in range(T):
            weights = torch.einsum("tbh,bh->tb", kept[..., :H], h).softmax(0)
            context = torch.einsum("tb,tbh->bh", weights, kept)
            h = self.attend(torch.cat([context, read], -1), h)
            written, state = self.write(h[None], state)
            read = written[0]
            out.append(read)
        return torch.stack(out)


class Loops(nn.Module):
    """An encoder in a loop of its own, then a decoder in another, and a stream in chunks beside."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder, self.encoder = nn.GRUCell(H, H), nn.GRUCell(H, H)
        self.stream = nn.GRU(H, H, num_layers=2)

    def forward(self, x: Tensor) -> Tensor:
        h, state = x.new_zeros(B, H), None
        for t in range(T):
            h = self.encoder(x[t], h)
        for t in range(T):
            h = self.decoder(h, h)
            if t in (1, 4):
                part = x[:2] if t == 1 else x[2:]
                out, state = self.stream(part, state)
                h = h + out[-1]
        return h


def order_of_calls(model: nn.Module, x: Tensor) -> dict[str, list[int]]:
    """When each timestep of each module was called, as hooks see it, by the module's path."""
    seen: list[tuple[str, int]] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda _, given, path=path: seen.append((path, len(given[0]) if given[0].dim() == 3 else 1))
        )
        for path, module in model.named_modules()
        if isinstance(module, nn.RNNBase | nn.RNNCellBase)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    order: dict[str, list[int]] = {}
    for number, (path, steps) in enumerate(seen):
        order.setdefault(path, []).extend([number] * steps)
    return order


def evaluated(trace: Trace, order: dict[str, list[int]]) -> Iterator[tuple[Any, str, tuple[int, ...]]]:
    """(when, key, index) of every number of unit 1 of sequence 0, forward, by an order of calls."""
    for number, layer in enumerate(trace.layers):
        for direction in layer.directions:
            for place, quantity in enumerate(layer.quantities):
                for t, call in enumerate(order[layer.path]):
                    passed = t if direction == "forward" else -t
                    when = call, number, direction == "backward", passed, place
                    yield when, f"{number}/{direction}/{quantity}", (t, 0, 1)


def spoilt(trace: Trace, spots: list[tuple[str, tuple[int, ...]]]) -> Trace:
    arrays = {key: np.array(array) for key, array in trace.arrays.items()}
    for key, at in spots:
        arrays[key][at] = np.nan
    return Trace(trace.header, arrays)


def place(trace: Trace, which: str = "forward") -> tuple[str, int]:
    bad = first_bad_of(trace, which)
    assert bad is not None
    return f"{bad.layer}/{bad.direction}/{bad.quantity}", bad.t


@pytest.mark.parametrize("kind", [Exchange, Decoder, Loops])
def test_the_first_bad_value_is_the_one_that_was_computed_first(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = kind(), torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    every = sorted(evaluated(trace, order_of_calls(model, x)))
    random = np.random.default_rng(0)
    for _ in range(60):
        chosen = sorted(random.choice(len(every), 3, replace=False))
        spots = [every[at][1:] for at in chosen]
        assert place(spoilt(trace, spots)) == (spots[0][0], spots[0][1][0])


@pytest.mark.parametrize("kind", [Exchange, Decoder, Loops])
def test_the_first_bad_derivative_is_that_of_what_was_computed_last(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = kind(), torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    # x is read by the first equations of a call, and by both directions of a layer.
    every = [one for one in sorted(evaluated(trace, order_of_calls(model, x))) if one[1][-2:] != "/x"]
    random = np.random.default_rng(1)
    for _ in range(60):
        chosen = sorted(random.choice(len(every), 3, replace=False))
        spots = [("/d".join(every[at][1].rsplit("/", 1)), every[at][2]) for at in chosen]
        assert place(spoilt(trace, spots), "backward") == (spots[-1][0], spots[-1][1][0])


def test_of_a_bad_input_it_is_said_that_what_was_computed_before_it_is_finite() -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(Exchange(), torch.randn(T, B, H))
    bad = first_bad_of(spoilt(trace, [("1/forward/x", (1, 0, 1)), ("0/forward/h", (2, 0, 1))]))
    assert bad is not None
    assert bad.how == "it is what the layer was given, and every value that was computed before it is finite"


def test_a_layer_that_is_through_before_the_next_begins_needs_no_order() -> None:
    trace = lstmtui.record(nn.LSTM(H, H, num_layers=2, bidirectional=True), torch.randn(T, B, H))
    assert not [key for key in trace.arrays if key.endswith("/order")]
    assert lstmtui.record(Decoder(), torch.randn(T, B, H)).arrays["3/order"].tolist() == [2, 4, 6, 8, 10]


def test_a_trace_without_the_order_goes_layer_by_layer(tmp_path) -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(Exchange(), torch.randn(T, B, H))
    bad = spoilt(trace, [("0/forward/h", (4, 0, 1)), ("1/forward/h", (1, 0, 1))])
    bad.save(tmp_path / "new")
    assert place(lstmtui.load(tmp_path / "new")) == ("1/forward/h", 1)  # type: ignore[arg-type]
    older = Trace(bad.header, {key: bad.arrays[key] for key in bad.arrays if not key.endswith("/order")})
    older.save(tmp_path / "old")
    assert place(lstmtui.load(tmp_path / "old")) == ("0/forward/h", 4)  # type: ignore[arg-type]
