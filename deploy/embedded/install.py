"""`make setup`: everything that the engines and the tests need and that is fetched once, before anything is started."""

from __future__ import annotations

import os
import sys

from deploy.embedded.access import database_account, open_path
from deploy.embedded.kafka import install, make_class_archive
from deploy.embedded.packages import browser
from deploy.embedded.postgres import binaries
from deploy.embedded.processes import EngineError
from deploy.embedded.terminal import say


def main() -> int:
    try:
        install()
        make_class_archive()
        open_path(binaries() / "bin", database_account(), say)
        if os.environ.get("KEYPOST_SETUP") == "dev":
            browser(say)
    except (EngineError, OSError) as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
