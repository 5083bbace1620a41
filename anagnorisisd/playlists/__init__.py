"""Stored playlists of MPD by which any client can rate, and in which the daemon shows tracks."""
