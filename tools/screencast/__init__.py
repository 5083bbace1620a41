"""Records a real first run in a terminal and draws it as one moving SVG, for the README."""
