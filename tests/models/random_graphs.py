"""Random ONNX graphs whose recurrent nodes lie in branches, loops, scans and functions, one in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from models.onnx_graphs import BOOL, HIDDEN, INPUT, INT64, OPSET, model_of, tensors, value
from onnx import helper

ROWS = {"LSTM": 4, "GRU": 3, "RNN": 1}


class RandomGraph:
    """A graph of x (T, B, 3) to y (T, B, 3) and `total`, the sum of every state that any node ended with.

    Args:
        seed: of what it is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._count = 0
        self._initializers: list[Any] = []
        self._functions: list[Any] = []
        self._shared: list[tuple[str, int, str]] = []
        """Weights that nodes may share: (operator, directions, prefix)."""

    def model(self, depth: int) -> onnx.ModelProto:
        """A model of some nodes, those of `depth` bodies in one another at most."""
        self._initializers = tensors(
            axis1=np.array([1]), zero_sum=np.float32(0), half=np.float32(0.5), out=self._draw(HIDDEN, INPUT),
            both=self._draw(2 * HIDDEN, INPUT), hid=self._draw(INPUT, HIDDEN),
        )  # fmt: skip
        nodes, x, total = self._body("x", "zero_sum", depth, int(self._random.integers(2, 4)))
        nodes += [
            helper.make_node("Identity", [x], ["y"]),
            helper.make_node("Identity", [total], ["total"]),
        ]
        inputs, outputs = [value("x", ["T", "B", INPUT])], [value("y"), value("total")]
        return model_of(nodes, inputs, outputs, self._initializers, self._functions)

    def _body(self, x: str, total: str, depth: int, length: int) -> tuple[list[Any], str, str]:
        nodes: list[Any] = []
        kinds = [self._node, self._node]
        if depth:
            kinds += [self._branch, self._loop, self._scan, self._call]
        for _ in range(length):
            kind = kinds[int(self._random.integers(len(kinds)))]
            more, x, total = kind(x, total, depth)
            nodes += more
        return nodes, x, total

    def _node(self, x: str, total: str, depth: int) -> tuple[list[Any], str, str]:
        """A recurrent node, its states computed from x, or zeros; what it gives gets the size of x."""
        p = self._name("n")
        operator = str(self._random.choice([*ROWS]))
        direction = str(self._random.choice(["forward", "forward", "reverse", "bidirectional"]))
        directions = 2 if direction == "bidirectional" else 1
        reusable = [w for w in self._shared if w[:2] == (operator, directions)]
        if reusable and self._random.random() < 0.5:
            own = reusable[0][2]
        else:
            own = p
            rows = ROWS[operator] * HIDDEN
            shapes = {"W": (rows, INPUT), "R": (rows, HIDDEN), "B": (2 * rows,)}
            arrays = {p + key: self._draw(directions, *shape) for key, shape in shapes.items()}
            self._initializers += tensors(**arrays)
            self._shared.append((operator, directions, p))
        nodes, states = [], []
        if self._random.random() < 0.6:
            nodes = [
                helper.make_node("ReduceMean", [x], [p + "mean"], axes=[0], keepdims=1),
                helper.make_node("MatMul", [p + "mean", "hid"], [p + "one"]),
                helper.make_node("Concat", [p + "one"] * directions, [p + "h0"], axis=0),
            ]
            states = [p + "h0", *([p + "h0"] if operator == "LSTM" and self._random.random() < 0.7 else [])]
        outputs = [p + "y", p + "yh", *([p + "yc"] if operator == "LSTM" else [])]
        nodes += [
            helper.make_node(
                operator, [x, own + "W", own + "R", own + "B", "", *states], outputs, name=p,
                hidden_size=HIDDEN, direction=direction,
            ),
            *self._reduced(p, outputs, total, directions),
        ]  # fmt: skip
        return nodes, p + "x", p + "total"

    def _reduced(self, p: str, outputs: list[str], total: str, directions: int) -> list[Any]:
        sums = [helper.make_node("ReduceSum", [o], [o + "s"], keepdims=0) for o in outputs[1:]]
        flat = (
            [helper.make_node("Squeeze", [outputs[0], "axis1"], [p + "flat"])]
            if directions == 1
            else [
                helper.make_node("Transpose", [outputs[0]], [p + "side"], perm=[0, 2, 1, 3]),
                helper.make_node("Constant", [], [p + "shape"], value_ints=[0, 0, -1]),
                helper.make_node("Reshape", [p + "side", p + "shape"], [p + "flat"]),
            ]
        )
        mixed = helper.make_node("MatMul", [p + "flat", "out" if directions == 1 else "both"], [p + "x"])
        added = helper.make_node("Sum", [total, *(o + "s" for o in outputs[1:])], [p + "total"])
        return [*sums, *flat, mixed, added]

    def _branch(self, x: str, total: str, depth: int) -> tuple[list[Any], str, str]:
        p = self._name("if")
        graphs = []
        for side in ("t", "e"):
            nodes, inner_x, inner_total = self._body(x, total, depth - 1, 1)
            names = [f"{p}{side}x", f"{p}{side}total"]
            nodes += [
                helper.make_node("Identity", [inner], [name])
                for inner, name in zip((inner_x, inner_total), names, strict=True)
            ]
            graphs.append(helper.make_graph(nodes, p + side, [], [value(name) for name in names]))
        nodes = [
            helper.make_node("ReduceMean", [x], [p + "m"], keepdims=0),
            helper.make_node("Greater", [p + "m", "zero_sum"], [p + "c"]),
            helper.make_node(
                "If", [p + "c"], [p + "x", p + "total"], name=p, then_branch=graphs[0], else_branch=graphs[1]
            ),
        ]
        return nodes, p + "x", p + "total"

    def _loop(self, x: str, total: str, depth: int) -> tuple[list[Any], str, str]:
        p = self._name("loop")
        nodes, inner_x, inner_total = self._body(p + "in", p + "tin", depth - 1, 1)
        nodes += [
            helper.make_node("Identity", [inner], [name])
            for inner, name in ((inner_x, p + "ox"), (inner_total, p + "ot"), (p + "going", p + "go"))
        ]
        nodes.append(helper.make_node("ReduceMean", [p + "ox"], [p + "each"], keepdims=0))
        body = helper.make_graph(
            nodes,
            p,
            [value(p + "i", [], INT64), value(p + "going", [], BOOL), value(p + "in"), value(p + "tin")],
            [value(p + "go", [], BOOL), value(p + "ox"), value(p + "ot"), value(p + "each", [])],
        )
        trips = int(self._random.integers(0, 4))
        outside = [
            helper.make_node("Constant", [], [p + "trips"], value_int=trips),
            helper.make_node(
                "Loop", [p + "trips", "", x, total], [p + "last", p + "total", p + "all"], name=p, body=body
            ),
            helper.make_node("ReduceSum", [p + "all"], [p + "sum"], keepdims=0),
            helper.make_node("Add", [p + "last", p + "sum"], [p + "x"]),
        ]
        return outside, p + "x", p + "total"

    def _scan(self, x: str, total: str, depth: int) -> tuple[list[Any], str, str]:
        """Over x and half of it, in one order or the other; the rounds' results are added up."""
        p = self._name("scan")
        nodes, inner_x, inner_total = self._body(p + "in", p + "tin", depth - 1, 1)
        nodes += [
            helper.make_node("Identity", [inner], [name])
            for inner, name in ((inner_x, p + "ox"), (inner_total, p + "ot"))
        ]
        body = helper.make_graph(
            nodes,
            p,
            [value(p + "tin", []), value(p + "in", ["T", "B", INPUT])],
            [value(p + "ot", []), value(p + "ox", ["T", "B", INPUT])],
        )
        way, out_way = (int(n) for n in self._random.integers(0, 2, 2))
        outside = [
            helper.make_node("Mul", [x, "half"], [p + "h"]),
            helper.make_node("Unsqueeze", [x, "axis1"], [p + "a"]),
            helper.make_node("Unsqueeze", [p + "h", "axis1"], [p + "b"]),
            helper.make_node("Concat", [p + "a", p + "b"], [p + "xs"], axis=1),
            helper.make_node(
                "Scan", [total, p + "xs"], [p + "total", p + "ys"], name=p, body=body, num_scan_inputs=1,
                scan_input_axes=[1], scan_input_directions=[way], scan_output_directions=[out_way],
                scan_output_axes=[2],
            ),
            helper.make_node("Constant", [], [p + "axes"], value_ints=[2]),
            helper.make_node("Constant", [], [p + "first"], value_int=0),
            helper.make_node("Gather", [p + "ys", p + "first"], [p + "x"], axis=2),
        ]  # fmt: skip
        return outside, p + "x", p + "total"

    def _call(self, x: str, total: str, depth: int) -> tuple[list[Any], str, str]:
        """A function with a node of its own in it, called twice with other weights."""
        p = self._name("fun")
        node = helper.make_node("LSTM", ["a", "w", "r"], ["ay", "ah", "ac"], name="inner")
        own = node.attribute.add()
        own.name, own.ref_attr_name, own.type = "hidden_size", "units", onnx.AttributeProto.INT
        nodes = [
            node,
            helper.make_node("Constant", [], ["one"], value_ints=[1]),
            helper.make_node("Squeeze", ["ay", "one"], ["flat"]),
            helper.make_node("MatMul", ["flat", "m"], ["b"]),
            helper.make_node("ReduceSum", ["ah"], ["hs"], keepdims=0),
            helper.make_node("ReduceSum", ["ac"], ["cs"], keepdims=0),
            helper.make_node("Sum", ["t", "hs", "cs"], ["u"]),
        ]
        function = helper.make_function(
            "own",
            p,
            ["a", "t", "w", "r", "m"],
            ["b", "u"],
            nodes,
            [helper.make_opsetid("", OPSET)],
            ["units"],
        )
        self._functions.append(function)
        calls = []
        for n in range(2):
            q = f"{p}_{n}"
            self._initializers += tensors(**{
                q + "W": self._draw(1, 4 * HIDDEN, INPUT), q + "R": self._draw(1, 4 * HIDDEN, HIDDEN),
            })  # fmt: skip
            given = [x, total, q + "W", q + "R", "out"]
            calls.append(
                helper.make_node(p, given, [q + "x", q + "total"], name=q, domain="own", units=HIDDEN)
            )
            x, total = q + "x", q + "total"
        return calls, x, total

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def _draw(self, *shape: int) -> Any:
        return (self._random.standard_normal(shape) * 0.7).astype(np.float32)
