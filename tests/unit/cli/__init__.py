"""The command line without an instance."""
