"""A training loop that is watched until something goes wrong."""
