"""Running: a model and an input become a trace."""
