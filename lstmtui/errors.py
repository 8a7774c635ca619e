"""Errors in the user's input: each is shown as a sentence, never as a traceback."""


class UserError(Exception):
    """Bad input: the message says what is wrong and what to do. Commands exit with status 2."""


class Cancelled(Exception):
    """A progress callback raises this to stop a recording or another long run."""
