"""Recording by source: any Python code, by the variables that it binds to tensors."""
