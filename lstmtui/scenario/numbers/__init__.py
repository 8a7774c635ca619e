"""Numbers from files and from lists, without trusting the sizes that they declare."""
