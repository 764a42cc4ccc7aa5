"""The registry's own schema and its history."""
