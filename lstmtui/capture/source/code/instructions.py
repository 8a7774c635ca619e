"""What a single instruction of Python does, by the name of its operation."""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from types import CodeType

from lstmtui.models.torch_compat import PURE

LEAVES = ("RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE", "RETURN_GENERATOR")
"""What a call returns or is suspended by."""
METHODS = ("LOAD_METHOD", "LOAD_ATTR")
_SUSPENDING = ("SEND", "YIELD_VALUE", "JUMP_BACKWARD_NO_INTERRUPT")
_EFFECTS = ("STORE_ATTR", "STORE_S", "DELETE", "IMPORT", "BEFORE", "WITH", "PUSH_NULL")
"""What may write besides calls of methods; functions in local names are called after PUSH_NULL."""
_HARMLESS = (PURE | {"nn", "functional", "append"}) - {"fill", "partition", "put", "resize", "sort"}
"""Attributes and methods that write into no tensor; numpy's arrays have some that do, and share memory."""


def may_pass_over(operation: str) -> bool:
    """Whether what follows an instruction may be passed over: by a branch, a further loop, a suspension."""
    is_branch = "JUMP" in operation and "IF" in operation
    return is_branch or "FORWARD" in operation or operation in ("FOR_ITER", *_SUSPENDING)


def may_write(instruction: dis.Instruction, code: CodeType) -> bool:
    """Whether an instruction may write into a tensor, or calls what may, or does anything else of effect."""
    operation, argument = instruction.opname, instruction.argval
    if operation in METHODS:
        return argument not in _HARMLESS
    if operation in ("LOAD_GLOBAL", "LOAD_NAME"):
        return argument not in ("torch", "F", "range", "len", "int", "float", "zip", "enumerate")
    if operation == "KW_NAMES":
        return "out" in code.co_consts[instruction.arg or 0]
    if operation == "LOAD_CONST":
        return isinstance(argument, tuple) and "out" in argument
    if operation == "BINARY_OP":
        return instruction.argrepr.endswith("=")
    return operation.startswith(_EFFECTS)


def lines_of(instructions: Sequence[dis.Instruction]) -> Iterator[int]:
    """The line of each instruction; one without a line belongs to the one before it."""
    line = 0
    for instruction in instructions:
        positions = instruction.positions
        if positions is not None and positions.lineno is not None:
            line = positions.lineno
        yield line
