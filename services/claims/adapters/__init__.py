"""How what claims knows is stored and read."""
