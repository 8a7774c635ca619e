"""onnxruntime's sessions for nodes of a model, made when it is known what they are given. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.model import OWN_DOMAINS
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_LONGEST = 400
"""So much of what onnxruntime says is repeated."""


class Sessions:
    """Makes sessions with the same options.

    Args:
        model: the `onnx.ModelProto`, whose functions nodes may call.
        threads: how many a session may use.
        providers: what runs the nodes, the first that can; none: the CPU.
    """

    def __init__(self, model: Any, threads: int, providers: Sequence[str] = ()) -> None:
        import onnxruntime

        self._model = model
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        self._options.log_severity_level = 4
        self._providers = list(providers) or ["CPUExecutionProvider"]
        available = onnxruntime.get_available_providers()
        if missing := [name for name in self._providers if name not in available]:
            has = ", ".join(available)
            raise UserError(f"onnxruntime has no {printable(', '.join(missing))} here; it has {has}")

    def make(
        self,
        nodes: Sequence[Any],
        versions: Mapping[str, int],
        feed: Mapping[str, Any],
        outputs: Sequence[str],
        initializers: Sequence[Any],
    ) -> Any:
        """A session that runs nodes.

        Args:
            nodes: in their order.
            versions: of their operators, by domain.
            feed: what is fed to them, by name: arrays, or lists of such for sequences.
            outputs: the names of what they give.
            initializers: tensors of the model that they take.

        Raises:
            UserError: onnxruntime refuses them.
        """
        import onnx
        import onnxruntime
        from onnx import helper

        inputs = [helper.make_value_info(name, _type_of(value)) for name, value in feed.items()]
        results = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(nodes, "stretch", inputs, results, initializers)
        opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
        model = helper.make_model(graph, opset_imports=opsets, functions=list(self._model.functions))
        model.ir_version = self._model.ir_version
        try:
            content = model.SerializeToString()
        except Exception:  # protobuf's own limit of 2 GiB
            raise UserError("its constants have more than 2 GiB, which onnxruntime does not take") from None
        try:
            return onnxruntime.InferenceSession(content, self._options, providers=self._providers)
        except MemoryError:
            raise
        except Exception as error:
            raise refusal(error) from None


def run_session(session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    """What a session gives.

    Raises:
        UserError: onnxruntime refuses what it is given, or fails.
    """
    try:
        return list(session.run(list(outputs), dict(feed)))
    except MemoryError:
        raise
    except Exception as error:
        raise refusal(error) from None


def refusal(error: Exception) -> UserError:
    """What onnxruntime says, as a mistake of the user's."""
    text = " ".join(str(error).split())
    if "bad_alloc" in text or "Failed to allocate memory" in text:
        raise MemoryError(text)
    return UserError(f"onnxruntime: {printable(text if len(text) <= _LONGEST else text[:_LONGEST] + '…')}")


def _type_of(value: Any) -> Any:
    from onnx import TensorProto, helper

    if isinstance(value, list):
        kind = value[0].dtype if value else np.dtype(np.float32)
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(_element(kind), None))
    array: Array = np.asarray(value)
    is_text = array.dtype.kind in "OUS"
    return helper.make_tensor_type_proto(TensorProto.STRING if is_text else _element(array.dtype), None)


def _element(dtype: Any) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def is_own(node: Any, *operators: str) -> bool:
    """Whether a node is one of these operators of ONNX's own."""
    return node.op_type in operators and node.domain in OWN_DOMAINS
