"""Rules of the registry as pure functions and frozen values."""
