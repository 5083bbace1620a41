"""Picks: weights, guards, sampling, and keeping the queue filled."""
