"""The debugger in the terminal: the only package that knows Textual."""
