"""Measurements; `make bench` runs them. Each part is a module with `run(full: bool) -> None`."""
