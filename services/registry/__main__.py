"""Starts the service or migrates its database."""

from services.registry.main import main

main()
