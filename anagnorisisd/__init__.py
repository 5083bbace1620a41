"""Anagnorisis for MPD: the daemon. Start reading at `daemon.run`."""

__version__ = "0.1.0"
