"""The user's modules: what they are called with, and that they are left as they were."""
