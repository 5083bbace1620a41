"""A small music library made from nothing, for those who have no music at hand yet."""
