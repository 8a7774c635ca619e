"""Drawing: widgets that turn arrays into lines of text and know nothing of the session."""
