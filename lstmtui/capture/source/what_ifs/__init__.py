"""The user's code runs again with other values, or for another loss."""
