"""The registry on real engines."""
