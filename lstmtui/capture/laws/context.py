"""What every law needs to know: the model, its input and outputs, and what the user said about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lstmtui.analysis.laws import BROKEN, BY_DESIGN, HELD, NOT_TAKEN, LawResult, Place
from lstmtui.capture.laws.calls import SeenCall
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.outputs import Shape
from lstmtui.capture.laws.subject import Subject
from lstmtui.wording import counted


@dataclass(frozen=True)
class Context:
    """A model under test."""

    subject: Subject
    inputs: Inputs
    shape: Shape
    calls: list[SeenCall]
    """The recurrent calls of one run."""
    starts: Tensor | None = None
    """bool (T, B): where a sequence begins anew; None: not said."""
    step: Callable[[Any, Any, Any], Any] | None = None
    """The user's own function for one timestep."""
    factory: Callable[[], Any] | None = None
    """Builds the model anew; None: not said."""
    keeps_state: bool = False
    """Whether the model keeps a state on itself from call to call."""
    differs: str = ""
    """That two equal calls differ, and why; empty where they do not."""
    drawn: str = ""
    """The path of a layer whose first state is drawn anew in each call; empty where none is."""
    apart: float = 0.0
    """How far two equal calls are apart."""
    not_finite: str = ""
    """Where what comes out is NaN or infinite, which no law can be held on; empty where it is finite."""
    remark: str = ""
    """What is to be known of every result."""

    @property
    def backward_layer(self) -> str:
        """The path of the first layer that reads backward too; empty where none does."""
        if not isinstance(self.subject.model, nn.Module):
            return ""
        for path, module in self.subject.model.named_modules():
            layout = getattr(module, "layout", None)
            if getattr(module, "bidirectional", False) or getattr(layout, "bidirectional", False):
                return path or type(module).__name__
        return ""

    @property
    def other_steps(self) -> str:
        """A message if y has other timesteps than x, as behind an unpadded convolution; else empty."""
        steps = self.shape.other_steps
        return (
            f"y has {counted(steps, 'timestep')} and x {self.inputs.steps:,}, and which belong together is "
            "not known"
            if steps
            else ""
        )

    @property
    def hands_on(self) -> bool:
        """Whether a call can go on from the one before."""
        return self.subject.takes_state or self.keeps_state


def held(text: str, number: float = 0.0, tolerance: float = 0.0, notes: tuple[str, ...] = ()) -> LawResult:
    """The law was tried, and held."""
    return LawResult("", HELD, text, number, tolerance, notes=notes)


def broken(text: str, number: float = 0.0, tolerance: float = 0.0, place: Place | None = None) -> LawResult:
    """The law was tried, and is broken."""
    return LawResult("", BROKEN, text, number, tolerance, place)


def by_design(text: str, number: float = 0.0) -> LawResult:
    """The law does not hold, because of what a layer is."""
    return LawResult("", BY_DESIGN, text, number)


def not_taken(why: str, notes: tuple[str, ...] = ()) -> LawResult:
    """The law could not be tried."""
    return LawResult("", NOT_TAKEN, why, float("nan"), notes=notes)


def gradient_not_finite(changes: str) -> LawResult:
    """The law could not be tried by gradients; `changes`: what trying other inputs has shown."""
    return not_taken(
        f"a gradient of y by x is NaN or infinite, which tells nothing; {changes}; "
        "`first-bad` on a recording says where from"
    )
