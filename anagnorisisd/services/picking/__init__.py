"""Choosing picks and keeping them ahead in the queue."""
