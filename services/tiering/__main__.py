"""`python -m services.tiering [serve|migrate]`."""

from services.tiering.main import build
from services.tiering.settings import TieringSettings
from shared.lifecycle import run

run("tiering", build, TieringSettings)
