"""The panels of the debugger, one file each."""
