"""The laws of state, held on the user's own model and input."""

from lstmtui.capture.laws.hold import laws

__all__ = ["laws"]
