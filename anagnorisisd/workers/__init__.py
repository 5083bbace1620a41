"""Worker processes for heavy or risky work."""
