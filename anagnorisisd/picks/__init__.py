"""Picks: scoring, sampling, and keeping the queue filled."""
