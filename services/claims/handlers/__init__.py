"""One file per thing that happens: read, fold, store."""
