"""One file per command or event: load, decide, store, record what happened."""
