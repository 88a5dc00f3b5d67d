"""Change sets: a write is proposed with its diff, decided by policy and people, and applied once.

``propose`` runs the verbs inside a savepoint, collects the field-by-field diff that the recorder saw, and rolls the savepoint
back: the preview is what would really happen, and nothing has happened (``steps``). Policy, never a model, says who decides
(``risk``). ``approve`` applies it in one transaction if and only if the approver names the hash of the diff that was shown, the
proposal is neither decided nor expired, and running the verbs again gives the same diff; otherwise the records moved meanwhile
and a fresh proposal is needed (``deciding``).
"""

from crm_core.changes.autonomy import Earned, earned_autonomy
from crm_core.changes.deciding import (
    EXPIRES_MINUTES,
    Moved,
    approve,
    decide,
    diff_csv,
    edit,
    preview,
    propose,
    propose_steps,
    propose_together,
    refuse,
)
from crm_core.changes.risk import AT_ONCE, Risk, classify
from crm_core.changes.steps import Carried, Step, diff_hash, steps_of

__all__ = [
    "AT_ONCE",
    "EXPIRES_MINUTES",
    "Carried",
    "Earned",
    "Moved",
    "Risk",
    "Step",
    "approve",
    "classify",
    "decide",
    "diff_csv",
    "diff_hash",
    "earned_autonomy",
    "edit",
    "preview",
    "propose",
    "propose_steps",
    "propose_together",
    "refuse",
    "steps_of",
]
