"""What crosses the link: frames, the messages in them, and how values are written; bounded either way."""
