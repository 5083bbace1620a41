"""The player, through python-mpd2's asyncio client."""
