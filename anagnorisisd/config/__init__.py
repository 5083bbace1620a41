"""Configuration: `schema` defines the keys, `load` reads them from all sources."""
