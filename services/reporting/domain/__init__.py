"""Rules of reporting: pure values and functions."""
