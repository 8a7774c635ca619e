"""What the user's code says by its text and its instructions."""
