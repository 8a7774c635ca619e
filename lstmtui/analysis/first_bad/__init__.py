"""The first NaN or inf of a run: where it is, and what made it."""
