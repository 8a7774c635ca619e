"""The picture of a cell: where its operations stand, and how wires run between them, without Textual."""
