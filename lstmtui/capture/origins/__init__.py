"""Where states and values come from."""
