"""What is wrong with an expression, and where."""

from __future__ import annotations

from lstmtui.errors import UserError


class ExpressionError(UserError):
    """An expression that has no meaning, or none here."""

    def __init__(self, wrong: str, column: int = 0, suggestion: str = "") -> None:
        super().__init__(f"{wrong}; did you mean {suggestion}?" if suggestion else wrong)
        self.wrong = wrong
        """The mistake in a sentence, safe to show."""
        self.column = column
        """Where in the text it is, counted from 0."""
        self.suggestion = suggestion
        """What may have been meant in its place; empty where nothing comes near."""
