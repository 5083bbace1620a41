"""MPD, through python-mpd2's asyncio client."""
