"""How views are stored and read."""
