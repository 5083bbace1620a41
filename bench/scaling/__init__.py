"""Scaling: measured costs, linear extrapolation, and simulation of many listeners."""
