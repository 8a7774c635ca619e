"""The program on the machine that has the runs: answers one client over two byte streams."""
