"""The user's code runs, and what it binds its names to is kept."""
