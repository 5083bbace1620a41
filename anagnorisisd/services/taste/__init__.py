"""Learning what the listener likes, and telling of it."""
