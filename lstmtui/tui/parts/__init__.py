"""The parts of the debugger's screen: each does one thing for it."""
