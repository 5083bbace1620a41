"""The foreground run of `make run`: which music, which MPD, and the daemon on top."""
