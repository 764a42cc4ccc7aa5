"""`python -m cli`, which the launcher runs as `keypost`."""

from cli.main import main

main()
