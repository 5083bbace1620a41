"""What size costs: measured here, extrapolated in the open, and played through for a crowd."""
