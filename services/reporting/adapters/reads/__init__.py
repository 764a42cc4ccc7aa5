"""What routes and pages read, one file per subject; `ReadModels` in `adapters.read_models` is the way in."""
