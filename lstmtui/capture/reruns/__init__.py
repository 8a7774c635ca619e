"""The recorded run again, with values changed."""
