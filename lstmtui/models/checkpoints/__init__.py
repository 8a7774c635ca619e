"""Checkpoints: tensors by name, and the recurrent layers among them."""
