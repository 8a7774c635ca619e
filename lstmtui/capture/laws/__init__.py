"""The laws of state, held on the user's own model and input."""
