"""How the registry stores and reads its state."""
