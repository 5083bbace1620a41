"""Steering: what the listener wants to hear now, as a factor of the weight of each track."""
