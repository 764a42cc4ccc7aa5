"""The parts of the catalogue: the codes of the contracts in words (`terms`), refusals, fields, and what each surface says.

A new part is added to `PARTS`.
"""

from typing import Final

from shared.texts.words.cli import TEXTS as CLI
from shared.texts.words.cli_demo import TEXTS as CLI_DEMO
from shared.texts.words.cli_files import TEXTS as CLI_FILES
from shared.texts.words.console_acts import TEXTS as CONSOLE_ACTS
from shared.texts.words.console_customers import TEXTS as CONSOLE_CUSTOMERS
from shared.texts.words.console_dashboard import TEXTS as CONSOLE_DASHBOARD
from shared.texts.words.console_declarations import TEXTS as CONSOLE_DECLARATIONS
from shared.texts.words.console_frame import TEXTS as CONSOLE_FRAME
from shared.texts.words.console_plans import TEXTS as CONSOLE_PLANS
from shared.texts.words.console_quality import TEXTS as CONSOLE_QUALITY
from shared.texts.words.exports import TEXTS as EXPORTS
from shared.texts.words.fields import TEXTS as FIELDS
from shared.texts.words.problems import TEXTS as PROBLEMS
from shared.texts.words.problems_claims import TEXTS as PROBLEMS_CLAIMS
from shared.texts.words.problems_declarations import TEXTS as PROBLEMS_DECLARATIONS
from shared.texts.words.problems_registry import TEXTS as PROBLEMS_REGISTRY
from shared.texts.words.problems_reporting import TEXTS as PROBLEMS_REPORTING
from shared.texts.words.problems_tiering import TEXTS as PROBLEMS_TIERING
from shared.texts.words.terms import TEXTS as TERMS

CONSOLE: Final = (
    CONSOLE_ACTS,
    CONSOLE_CUSTOMERS,
    CONSOLE_DASHBOARD,
    CONSOLE_DECLARATIONS,
    CONSOLE_FRAME,
    CONSOLE_PLANS,
    CONSOLE_QUALITY,
)
PARTS: Final = (
    TERMS,
    FIELDS,
    PROBLEMS,
    PROBLEMS_CLAIMS,
    PROBLEMS_DECLARATIONS,
    PROBLEMS_REGISTRY,
    PROBLEMS_REPORTING,
    PROBLEMS_TIERING,
    EXPORTS,
    *CONSOLE,
    CLI,
    CLI_DEMO,
    CLI_FILES,
)
