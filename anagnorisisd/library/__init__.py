"""The library: scanning, watching and reading the music directory."""
