"""Every door through which ratings come in, and where they are mirrored."""
