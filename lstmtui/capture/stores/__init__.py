"""Where recorded arrays are kept: in memory, on the host, in files."""
