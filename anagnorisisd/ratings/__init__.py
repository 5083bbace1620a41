"""Ratings: every way in and out."""
