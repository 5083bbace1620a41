"""One use case each; they take ports, never tools."""
