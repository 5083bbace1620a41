"""Configuration: `schema` says what there is, `load` reads it from every place."""
