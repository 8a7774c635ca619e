"""A graph run by onnxruntime, with everything that goes into and comes out of its recurrent nodes. No torch.

Every stretch of nodes and every recurrent node is a session of onnxruntime's; If, Loop, Scan and functions
that hold recurrent nodes are followed here, so that each round of a loop is seen, whatever shapes it has.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.bodies import Body
from lstmtui.models.onnx.control_flow import RunBody, branch, loop, scan, stacked, taken
from lstmtui.models.onnx.model import is_recurrent
from lstmtui.models.onnx.node import INPUTS
from lstmtui.models.onnx.session import Sessions, is_own, run_session
from lstmtui.models.onnx.steps import Step, steps_of
from lstmtui.models.onnx.tape import Tape
from lstmtui.models.onnx.taps import OUTPUTS, Taps, with_all_outputs
from lstmtui.models.onnx.tensors import whole_array
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

Scope: TypeAlias = ChainMap[str, Any]
"""Values by name, those of the bodies around behind a body's own."""

_DEEPEST = 64


class Execution:
    """Runs a graph, any number of times.

    Args:
        body: the graph, its external data read.
        sessions: onnxruntime's.
        taps: gets what goes into and comes out of each recurrent node.
        tape: gets what is computed from that; None: nobody wants it.
    """

    def __init__(self, body: Body, sessions: Sessions, taps: Taps, tape: Tape | None = None) -> None:
        self._body, self._sessions, self._taps, self._tape = body, sessions, taps, tape
        self._arrays: dict[int, Array] = {}
        """The model's own tensors by their identities, which last as long as the body."""
        self._steps: dict[Body, list[Step]] = {}
        self._full: dict[Step, Step] = {}
        """Recurrent nodes with all of their outputs."""
        self._made: dict[tuple[Any, ...], tuple[Any, list[str]]] = {}
        """Sessions, with the names that they are given, by step, kinds of values and outputs."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The graph's outputs by name.

        Raises:
            UserError: onnxruntime refuses a part of it, or what is given.
        """
        return self.body(self._body, ChainMap({}), inputs)

    def body(self, body: Body, around: Scope, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a body gives, by name.

        Args:
            body: which.
            around: the values that it may use beside its inputs.
            inputs: by its own names for them.
        """
        scope: Scope = around.new_child(dict(inputs))
        if body not in self._steps:
            self._steps[body] = steps_of(body, every_branch=self._tape is not None)
        for step in self._steps[body]:
            if step.index < 0:
                scope.maps[0].update(zip(step.outputs, self._stretch(body, step, scope), strict=True))
            elif is_recurrent(step.nodes[0]):
                self._recurrent(body, step, scope)
            else:
                self._held(body, step, scope)
        return {value.name: self._value(body, value.name, scope) for value in body.outputs}

    def _stretch(self, body: Body, step: Step, scope: Scope) -> list[Any]:
        """Run the nodes of a step in one session."""
        if not step.outputs:
            return []
        feed = {name: scope[name] for name in step.inputs if _has(scope, body, name)}
        kinds = tuple((name, _kind(value)) for name, value in feed.items())
        taped: list[Any] = []
        outputs = step.outputs
        if self._tape is not None and step.index < 0:
            taped, beside = self._tape.derived_nodes(step.nodes, feed)
            outputs += tuple(name for name in beside if name not in outputs)
        key = (step, kinds, outputs)
        if key not in self._made:
            constants = [self._initializer(body, name) for name in step.inputs if name not in feed]
            session = self._sessions.make(step.nodes, body.versions, feed, outputs, constants)
            self._made[key] = session, [value.name for value in session.get_inputs()]
        session, names = self._made[key]
        results = run_session(session, outputs, {name: feed[name] for name in names})
        if self._tape is not None and taped:
            own = dict(zip(outputs, results, strict=True))
            around = scope.new_child(own)
            self._tape.add(taped, body.versions, lambda name: self._value(body, name, around), own)
        return results[: len(step.outputs)]

    def _recurrent(self, body: Body, step: Step, scope: Scope) -> None:
        """Run a recurrent node with all of its outputs, and keep what goes in and comes out."""
        node, place = step.nodes[0], body.place_of(step.index)
        values = [self._value(body, name, scope) if name else None for name in node.input]
        if step not in self._full:
            full = with_all_outputs(node, place)
            self._full[step] = Step([full], step.inputs, tuple(full.output), step.index)
        full_step = self._full[step]
        results = self._stretch(body, full_step, scope)
        numbers: dict[str, int] = {}
        if self._tape is not None:
            names = INPUTS[node.op_type]
            numbers = {n: self._tape.number_of(v) for n, v in zip(names, values, strict=False)}
            numbers |= dict(zip(OUTPUTS, self._tape.given(results), strict=False))
        if not self._taps.add(node, place, values, results, numbers) and self._tape is not None:
            self._tape.cannot_follow(f"{node.op_type} {place}, which is not recorded", results)
        scope.maps[0].update({name: r for name, r in zip(node.output, results, strict=False) if name})

    def _held(self, body: Body, step: Step, scope: Scope) -> None:
        """Follow a node that holds a recurrent one."""
        node, held = step.nodes[0], dict(body.inner[step.index])
        values = [self._value(body, name, scope) if name else None for name in node.input]

        def run(inner: Body, inputs: Mapping[str, Any]) -> dict[str, Any]:
            return self.body(inner, ChainMap({}) if inner.call is not None else scope, inputs)

        if "function" in held:
            inner = held["function"]
            inputs = zip(inner.inputs, values, strict=False)
            results = list(run(inner, {name: v for name, v in inputs if v is not None}).values())
        else:
            place, operator = printable(body.place_of(step.index)), printable(node.op_type)
            try:
                controlled = self._controlled(node, values, held, run)
            except (KeyError, ValueError, IndexError, TypeError):
                wrong = "attributes, inputs and bodies do not fit"
                raise UserError(f"{place} is no {operator} as ONNX defines it: {wrong}") from None
            if controlled is None:
                raise UserError(f"{place} is {operator}, in which recurrent nodes are not followed")
            results = controlled
        scope.maps[0].update({name: r for name, r in zip(node.output, results, strict=False) if name})

    def _controlled(
        self, node: Any, values: list[Any], held: Mapping[str, Body], run: RunBody
    ) -> list[Any] | None:
        """What a branch or a loop gives; None where a node is neither."""
        if is_own(node, "If"):
            return branch(values, held, run)
        if is_own(node, "Loop"):
            return loop(values, held["body"], run, self._stack)
        if is_own(node, "Scan"):
            return scan(node, values, held["body"], run, self._stack, self._take)
        return None

    def _stack(self, parts: Sequence[Any], axis: int, declared: Any) -> Any:
        """What the rounds of a loop gave, as the tape must know it."""
        result = stacked(parts, axis, declared)
        if self._tape is not None:
            self._tape.stacked(result, parts, axis)
        return result

    def _take(self, array: Any, axis: int, index: int) -> Any:
        """What a round of a loop is given, as the tape must know it."""
        result = taken(array, axis, index)
        if self._tape is not None:
            self._tape.taken(result, array, axis, index)
        return result

    def _value(self, body: Body, name: str, scope: Scope) -> Any:
        if _has(scope, body, name):
            return scope[name]
        tensor = self._initializer(body, name)
        if id(tensor) not in self._arrays:
            self._arrays[id(tensor)] = whole_array(tensor)
        return self._arrays[id(tensor)]

    def _initializer(self, body: Body, name: str) -> Any:
        """The tensor of the model that a name means in a body."""
        around: Body | None = body
        for _ in range(_DEEPEST):
            if around is None:
                break
            if name in around.initializers:
                return around.initializers[name]
            around = around.outer
        raise UserError(
            f"{printable(name)} is taken where nothing has given it yet: the nodes go in a circle, or are "
            "not in the order in which they run"
        )


def _has(scope: Scope, body: Body, name: str) -> bool:
    """Whether a name is that of a value; a body's own tensors come before the values around it."""
    return name in scope.maps[0] or (name in scope and name not in body.initializers)


def _kind(value: Any) -> Any:
    """What tells values apart for which there are sessions of their own."""
    if isinstance(value, list):
        return "list", value[0].dtype if value else None
    return value.dtype if isinstance(value, np.ndarray) else np.asarray(value).dtype
