"""`python -m services.claims [serve|migrate]`."""

from services.claims.main import build
from services.claims.settings import Settings
from shared.lifecycle import run

run("claims", build, Settings)
