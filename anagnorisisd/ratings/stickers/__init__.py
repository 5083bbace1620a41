"""Synchronisation of ratings with MPD's stickers, which other clients show and set."""
