"""`python -m services.reporting [serve|migrate]`."""

from services.reporting.main import build
from services.reporting.settings import Settings
from shared.lifecycle import run

run("reporting", build, Settings)
