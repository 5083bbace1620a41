"""Where MPD is, read as the client reads it, so that both find the same MPD."""

from anagnorisis.mpd_address import DEFAULT_PORT, Address, candidates, parse

__all__ = ["DEFAULT_PORT", "Address", "candidates", "parse"]
