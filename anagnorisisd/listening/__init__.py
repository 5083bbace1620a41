"""Listening: following playback and judging plays."""
