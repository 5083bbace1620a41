"""Keeping the stored library in line with the music folder."""
