"""The user's modules: what they are called with, what they return, and that they are left as they were."""
