"""The stores, in one SQLite database that one thread owns."""
