"""Metrics for the listener's own monitoring."""
